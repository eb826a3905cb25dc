-- Whole partitions of jobs go wherever they stand, not only the oldest one. Programs of version 7 can live with it: they
-- go on to ask for the oldest.

-- Where a file was moved to, for who asks where it came from.
create index transfer_target on flotilla.transfer (substr(sha256(target), 1, 8)) where kind = 'move';

-- Drops one partition in which nothing is left that `kept` protects; answers how many it dropped. What stands in a partition
-- that has gone old is looked for before anything is locked; `drop_jobs` looks again under its locks. Which of several goes
-- first is left to chance, so that one that cannot go does not hold up the others.
create function flotilla.drop_old_jobs(kept interval) returns integer language plpgsql as $$
declare
    width constant bigint := 4000000;
    most constant integer := 8;
    part bigint;
    newest timestamptz;
    old bigint[] := '{}';
    alive bigint[];
begin
    for part in
        select substr(c.relname, 5)::int8 from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'flotilla.job'::regclass and c.relname ~ '^job_[0-9]+$'
          and substr(c.relname, 5)::int8 < (select last_value / width from flotilla.job_number)
    loop
        execute format('select max(created_at) from (select created_at from flotilla.%I order by id desc limit 1) j',
                       'job_' || part) into newest;
        if newest is null or newest <= clock_timestamp() - kept then
            old := old || part;
        end if;
    end loop;
    if cardinality(old) = 0 then
        return 0;
    end if;
    alive := array(
        select job / width from flotilla.claim union select job / width from flotilla.later
        union select job / width from flotilla.waiting union select job / width from flotilla.ready);
    for part in select o from unnest(old) as o where o <> all (alive) order by random() limit most loop
        if flotilla.drop_jobs(part, kept) then
            return 1;
        end if;
    end loop;
    return 0;
end $$;
