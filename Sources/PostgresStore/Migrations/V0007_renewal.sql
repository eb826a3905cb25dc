-- The hot tables of the queue stay small while somebody's long report keeps dead rows from being vacuumed
-- (docs/decisions/0022-hot-tables-are-renewed.md). Programs of version 6 can live with it: they never call this.

-- Writes `ready` or `claim` anew if there is room for at least `dead` rows that do not live in it, and at most `most` live.
-- What is dead goes at once, whoever still has an old snapshot: such a snapshot sees the table empty afterwards.
-- Waits for its lock for 20 ms at most, and holds it for a few milliseconds; longer where it has failed for long, since
-- everybody waits behind it meanwhile.
create function flotilla.renew(hot text, dead bigint, most integer) returns boolean language plpgsql
    set lock_timeout = '20ms' set plan_cache_mode = force_generic_plan as $$
declare
    place regclass := ('flotilla.' || hot)::regclass;
    -- The counters of dead rows are behind by seconds, and do not know at once what was truncated; the size is exact.
    room bigint;
    live bigint;
    ready flotilla.ready[];
    claims flotilla.claim[];
begin
    -- Bytes of a row without a deadline, and its line pointer.
    room := pg_relation_size(place) / case hot when 'ready' then 60 when 'claim' then 92 end;
    -- Most of the time there is nothing to do; and who looks for rows in a long backlog meets what died before it.
    if room < dead or pg_stat_get_live_tuples(place) > 10 * most then
        return false;
    end if;
    execute format('select count(*) from (select from %s limit %s) r', place, most + 1) into live;
    if live > most or room < live + dead then
        return false;
    end if;
    if room >= 2 * (live + dead) then
        perform set_config('lock_timeout', case when room < 4 * (live + dead) then '60ms' else '200ms' end, true);
    end if;
    -- The next statement's snapshot comes after the lock: it sees all that was committed before.
    execute format('lock table %s in access exclusive mode', place);
    if hot = 'ready' then
        ready := array(select r from (select r from flotilla.ready r limit most + 1) l (r));
        if cardinality(ready) > most then
            return false;
        end if;
        truncate flotilla.ready;
        insert into flotilla.ready select r.* from unnest(ready) r;
    else
        claims := array(select c from (select c from flotilla.claim c limit most + 1) l (c));
        if cardinality(claims) > most then
            return false;
        end if;
        truncate flotilla.claim;
        insert into flotilla.claim select c.* from unnest(claims) c;
    end if;
    return true;
exception when lock_not_available or deadlock_detected then
    return false;
end $$;
