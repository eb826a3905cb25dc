-- Schedules. Programs of version 5 can live with it: they fire none.

alter table flotilla.schedule
    -- Jobs of earlier firings have not ended: 'wait' puts the new one behind them, 'skip' makes none.
    add column overlap text not null default 'wait' check (overlap in ('wait', 'skip')),
    -- Of the newest firing that made a job: when it was due, and the job.
    add column last_at timestamptz,
    add column last_job bigint,
    -- How many jobs it made, and how many firings have none of their own.
    add column jobs bigint not null default 0,
    add column skipped bigint not null default 0;

comment on column flotilla.schedule.fired_at is
    'Nothing up to here is owed: the newest firing, or when it was enabled or its times were changed.';

-- The first firing after a time. The same as ScheduleRhythm.next(after:).
create function flotilla.next_firing(anchor timestamptz, every_s bigint, after timestamptz) returns timestamptz
    language sql stable parallel safe as $$
    select anchor + (floor(extract(epoch from after - anchor) / every_s) + 1) * every_s * interval '1 second'
$$;

-- Events never grow without bound. Transfers are kept until an operator adds "transfer_days".
insert into flotilla.schedule (id, name, enabled, every_s, anchor, fired_at, kind, payload, missed, overlap, shard)
select n.id, 'retention', true, 86400, '1970-01-01 03:20:00+00', clock_timestamp(), 'retention',
       '{"event_days": 30}', 'once', 'skip', get_byte(uuid_send(n.id), 0)
from (select gen_random_uuid() as id) n;
