-- Quotas: how much an account may have in its home, and how much it has. docs/QUOTAS.md has the protocol.
-- Programs of version 11 can live with it: they neither ask nor count, and recounts make good what they change.

-- Null: no limit.
alter table flotilla.account
    add column quota_bytes bigint check (quota_bytes >= 0),
    add column quota_files bigint check (quota_files >= 0);

-- Whether decisions about this home come with a cost. It lies in the home's row because each decision locks and reads
-- that one anyway.
alter table flotilla.home add column metered boolean not null default false;

-- Numbers of countings: a home whose limits were taken away and set again is counted anew.
create sequence flotilla.quota_number cache 1 no cycle;

-- One row for each account that has, or had, a limit. Decisions change no column that is in an index: HOT updates.
create table flotilla.quota (
    account_id  uuid primary key,
    number      bigint not null,
    shard       smallint not null check (shard between 0 and 255),
    bytes_max   bigint,
    files_max   bigint,
    -- The use: what is below the home and what is decided.
    bytes       bigint not null default 0 check (bytes >= 0),
    files       bigint not null default 0 check (files >= 0),
    -- How much was changed ever, whatever the sign; and how often so that nobody knows by how much.
    churn_bytes bigint not null default 0,
    churn_files bigint not null default 0,
    voids       bigint not null default 0,
    -- Nil: never under this number.
    counted_at  timestamptz,
    due_at      timestamptz not null default clock_timestamp(),
    -- Why the use is not to be relied on: 'first', or 'removal' of a folder that was too large to count.
    pending     text check (pending in ('first', 'removal'))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
create index quota_due on flotilla.quota (shard, due_at);

-- What a decision has added to its home's use, and under which number.
alter table flotilla.name
    add column quota_number bigint,
    add column cost_bytes   bigint,
    add column cost_files   bigint;

-- Open uploads of an account. Whether one is open changes seldom; how far it is durable is not in the index.
create index upload_open on flotilla.upload (account_id) where status = 'open';
