-- The queue: jobs, where each of them stands, events, webhooks. Programs of version 3 can live with it: they take
-- no jobs, and what they publish makes no events.
-- docs/QUEUE.md says why it looks like this.

-- Ids of jobs. Its last value tells everybody that something was enqueued, without a look at a table.
-- Drawn once here: the first number of a sequence that nobody has asked looks like none.
create sequence flotilla.job_number minvalue 0 start 0 cache 1 no cycle;
-- Drawn once by each statement that makes an older job ready again, for the same reason.
create sequence flotilla.job_again minvalue 0 start 0 cache 1 no cycle;
select nextval('flotilla.job_number'), nextval('flotilla.job_again');

-- What a job is. Written once, never updated; where it stands is in the other tables.
create table flotilla.job (
    id           bigint not null default nextval('flotilla.job_number') check (id > 0),
    lane         bigint not null,
    kind         text collate "C" not null,
    account_id   uuid,
    priority     smallint not null default 5 check (priority between 0 and 9),
    -- What it costs its account's share.
    bytes        bigint not null default 0 check (bytes >= 0),
    max_attempts smallint not null default 20 check (max_attempts between 1 and 1000),
    deadline_ms  bigint check (deadline_ms > 0),
    order_key    text collate "C",
    ticket       bigint,
    requires     text[] not null default '{}',
    submitter    text not null,
    created_at   timestamptz not null default clock_timestamp(),
    payload      jsonb not null,
    primary key (id),
    check ((order_key is null) = (ticket is null))
) partition by range (id);

-- How it ended. Written once at the end, deleted when an operator sends a failed job back.
create table flotilla.outcome (
    job      bigint not null primary key,
    -- d done, f failed for good (a dead letter), c cancelled
    status   "char" not null check (status in ('d', 'f', 'c')),
    attempt  smallint not null,
    epoch    bigint,
    slot     smallint,
    ended_at timestamptz not null default clock_timestamp(),
    -- Result or reason, for people.
    note     text
) partition by range (job);
create index outcome_unhappy on flotilla.outcome (job) where status <> 'd';

-- What somebody may take now: narrow, deleted from on claim.
create table flotilla.ready (
    lane    bigint not null,
    -- Microseconds: when it was due, less what its priority is worth. Lower goes first.
    rank    bigint not null,
    job     bigint not null,
    -- Claims so far.
    attempt smallint not null default 0,
    primary key (lane, rank, job)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);

-- Who works on what: the right to commit the job, as a lease is (docs/LEASING.md).
create table flotilla.claim (
    incarnation bigint not null,
    job         bigint not null,
    epoch       bigint not null check (epoch > 0),
    slot        smallint not null,
    lane        bigint not null,
    rank        bigint not null,
    attempt     smallint not null,
    -- Whether its end has to move a key's head, and to give slots back.
    keyed       boolean not null,
    limited     boolean not null,
    deadline_ms bigint,
    claimed_at  timestamptz not null default clock_timestamp(),
    primary key (incarnation, job)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
create index claim_deadline on flotilla.claim (epoch, job) where deadline_ms is not null;

-- Not before `due_at`: delays, and retries that wait.
create table flotilla.later (
    due_at  timestamptz not null,
    job     bigint not null,
    lane    bigint not null,
    rank    bigint not null,
    attempt smallint not null default 0,
    primary key (due_at, job)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Order per key. Only the job with the ticket `head` is ready, later or claimed; those behind it wait.
create table flotilla.job_key (
    order_key text collate "C" primary key,
    head      bigint not null default 0,
    tail      bigint not null,
    -- The newest ticket that was let through.
    passed    bigint not null,
    check (head <= tail and passed <= head)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index job_key_due on flotilla.job_key (order_key) where passed < head and head < tail;
create index job_key_idle on flotilla.job_key (order_key) where head = tail;
create table flotilla.waiting (
    order_key text collate "C" not null,
    ticket    bigint not null,
    job       bigint not null,
    lane      bigint not null,
    rank      bigint not null,
    due_at    timestamptz,
    primary key (order_key, ticket)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Limits, weights and places: of a kind (`kind:webhook`) or of an account (`account:<id>`).
create table flotilla.job_policy (
    scope      text collate "C" primary key,
    -- So many of its jobs run at a time in the whole cluster, and on one node.
    slots      smallint check (slots between 0 and 1000),
    -- Whether the claims from before there was a limit have slots. Until then none is claimed.
    settled    boolean not null default false,
    per_node   smallint check (per_node between 1 and 1000),
    weight     real not null default 1 check (weight > 0 and weight <= 1000),
    requires   text[] not null default '{}',
    revision   bigint not null default 1,
    changed_at timestamptz not null default clock_timestamp()
);
create table flotilla.claim_slot (
    scope       text collate "C" not null,
    slot        smallint not null,
    incarnation bigint not null,
    job         bigint not null,
    epoch       bigint not null,
    primary key (scope, slot)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index claim_slot_job on flotilla.claim_slot (job);

-- Raised before a limit comes into being. A claim that reads no limits in its snapshot compares the row, which is as
-- old as its snapshot, with the sequence, which is as new as can be: so none that began before goes on after.
create sequence flotilla.job_limit_number cache 1 no cycle;
create table flotilla.job_limit (
    only_row boolean primary key default true check (only_row),
    number   bigint not null
);
insert into flotilla.job_limit (number) select nextval('flotilla.job_limit_number');

-- What outside submitters sent under a key of theirs, so that sending it again does nothing.
create table flotilla.job_submission (
    submitter       text collate "C" not null,
    idempotency_key text collate "C" not null,
    job             bigint not null,
    -- SHA-256 of what was asked for: the same key with something else is refused.
    digest          bytea not null check (octet_length(digest) = 32),
    at              timestamptz not null default clock_timestamp(),
    primary key (submitter, idempotency_key)
);
create index job_submission_at on flotilla.job_submission (at);

-- Attempts that did not simply succeed: errors, deaths of nodes, given back, cancelled, sent back.
create table flotilla.job_history (
    job     bigint not null,
    number  bigint not null generated always as identity,
    at      timestamptz not null default clock_timestamp(),
    change  text not null,
    attempt smallint not null,
    epoch   bigint,
    node    text,
    note    text,
    primary key (job, number)
);

-- Of long jobs, written under the claim; a checkpoint lives on into the next attempt.
create table flotilla.job_progress (
    job        bigint primary key,
    epoch      bigint not null,
    fraction   real check (fraction between 0 and 1),
    note       text,
    checkpoint jsonb,
    at         timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What happened to files, written by the statement that caused it, while somebody wants to hear of it.
create sequence flotilla.event_number cache 1 no cycle;
create table flotilla.event (
    id           bigint not null default nextval('flotilla.event_number'),
    at           timestamptz not null default clock_timestamp(),
    kind         text collate "C" not null,
    account_id   uuid not null,
    account      text not null,
    path         bytea not null,
    target       bytea,
    size         bigint,
    digest       bytea,
    operation    uuid not null,
    node         text not null,
    -- Who was to be told: one job for each webhook that matched.
    jobs         bigint[] not null check (cardinality(jobs) > 0),
    primary key (id)
) with (autovacuum_vacuum_insert_scale_factor = 0.05);
create index event_operation on flotilla.event (operation);
create index event_account on flotilla.event (account, id);
create index event_at on flotilla.event using brin (at);

-- Whom to tell of events.
create table flotilla.webhook (
    id           uuid primary key,
    name         text collate "C" not null unique,
    enabled      boolean not null,
    -- Why it was disabled, when nobody asked for it.
    disabled_because text check (disabled_because is null or not enabled),
    -- Nil for everybody's.
    account_id   uuid references flotilla.account (id),
    events       text[] not null check (cardinality(events) between 1 and 16),
    -- Only below this folder.
    below        bytea not null default '',
    url          text not null,
    secret       text not null,
    max_attempts smallint not null default 20 check (max_attempts between 1 and 1000),
    ordered      boolean not null default false,
    revision     bigint not null default 1,
    created_at   timestamptz not null default clock_timestamp(),
    changed_at   timestamptz not null default clock_timestamp()
);

-- What comes again by the clock. It fires by compare-and-set on `fired_at`.
create table flotilla.schedule (
    id         uuid primary key,
    name       text collate "C" not null unique,
    enabled    boolean not null,
    -- Seconds between two firings; from ten seconds to a year.
    every_s    bigint not null check (every_s between 10 and 31622400),
    -- The firings are at `anchor` plus whole periods.
    anchor     timestamptz not null,
    fired_at   timestamptz not null,
    kind       text collate "C" not null,
    account_id uuid references flotilla.account (id),
    payload    jsonb not null,
    -- Missed firings: 'once' makes up for all of them with one, 'all' with each (at most 1,000), 'none' skips them.
    missed     text not null default 'once' check (missed in ('once', 'all', 'none')),
    shard      smallint not null check (shard between 0 and 255),
    revision   bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp()
);
create index schedule_shard on flotilla.schedule (shard) where enabled;

-- Slices of the standing work. The leader says who should own each; the owner takes it with a new epoch, and proves
-- both in each write.
create table flotilla.shard (
    number      smallint primary key check (number between 0 and 255),
    -- Assigned to, by the leader of this term, because of this.
    wanted      bigint,
    term        bigint not null default 0,
    reason      text not null default 'not assigned yet',
    moved_at    timestamptz not null default clock_timestamp(),
    -- Owned by, since this epoch.
    incarnation bigint,
    epoch       bigint,
    pinned      text collate "C",
    -- Smoothed work of this shard, as its owner reports it.
    load        real not null default 0
) with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
insert into flotilla.shard (number) select generate_series(0, 255);

-- A job's lane: jobs of one kind, account and place wait in one line. Equal numbers for two lanes would make
-- them one line, nothing else.
create function flotilla.job_lane(kind text, account uuid, requires text[]) returns bigint
    language sql immutable parallel safe
    return ('x' || substr(md5(kind || '/' || coalesce(account::text, '') || '/' || array_to_string(requires, chr(31))),
                          1, 16))::bit(64)::bigint;

-- Lower goes first: each level of priority is worth a minute of waiting.
create function flotilla.job_rank(due timestamptz, priority smallint) returns bigint
    language sql immutable parallel safe
    return (extract(epoch from due) * 1000000)::bigint - (priority - 5) * 60000000::bigint;

-- Makes the partitions between two numbers, each for `width` jobs. Locks the parents only as much as ATTACH does.
create function flotilla.extend_jobs(lowest bigint, highest bigint) returns integer language plpgsql as $$
declare
    width constant bigint := 4000000;
    part bigint;
    parent text;
    made integer := 0;
begin
    -- One after the other; two would make the same table.
    perform pg_advisory_xact_lock(1718382454, 0);
    for part in lowest / width .. highest / width loop
        foreach parent in array array['job', 'outcome'] loop
            if to_regclass(format('flotilla.%s_%s', parent, part)) is null then
                execute format(
                    'create table flotilla.%I (like flotilla.%I including defaults including constraints)',
                    parent || '_' || part, parent);
                execute format(
                    'alter table flotilla.%I attach partition flotilla.%I for values from (%s) to (%s)',
                    parent, parent || '_' || part, part * width, (part + 1) * width);
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end $$;
select flotilla.extend_jobs(0, 8000000);

-- Drops the partition with this number if every job that was ever in it has ended longer ago than `kept`. Waits for no
-- lock longer than 100 ms; false if it could not, or must not.
create function flotilla.drop_jobs(part bigint, kept interval) returns boolean language plpgsql
    set lock_timeout = '100ms' as $$
declare
    width constant bigint := 4000000;
    lowest constant bigint := part * width;
    newest timestamptz;
begin
    if (select last_value from flotilla.job_number) < lowest + width then
        return false;
    end if;
    execute format('select max(created_at) from (select created_at from flotilla.%I order by id desc limit 1) j',
                   'job_' || part) into newest;
    if newest > clock_timestamp() - kept then
        return false;
    end if;
    -- From here on nobody ends a job of it, and no operator sends one back.
    execute format('lock table flotilla.%I, flotilla.%I in share row exclusive mode', 'job_' || part, 'outcome_' || part);
    execute format('select max(ended_at) from flotilla.%I', 'outcome_' || part) into newest;
    if newest > clock_timestamp() - kept
        or exists (select from flotilla.claim where job >= lowest and job < lowest + width)
        or exists (select from flotilla.later where job >= lowest and job < lowest + width)
        or exists (select from flotilla.waiting where job >= lowest and job < lowest + width)
        or exists (select from flotilla.ready where job >= lowest and job < lowest + width)
    then
        return false;
    end if;
    execute format('drop table flotilla.%I, flotilla.%I', 'job_' || part, 'outcome_' || part);
    return true;
exception when lock_not_available or deadlock_detected then
    return false;
end $$;
