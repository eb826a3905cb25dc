-- The first schema: membership, names being changed, transfers, accounts.
-- Run once, in one transaction, by SchemaMigrator, which notes the version afterwards.
create schema flotilla;

create table flotilla.schema_migration (
    version    integer primary key check (version > 0),
    name       text not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- One row: what is true of the cluster as a whole. Its row lock orders view versions, configuration versions
-- and incarnations; every statement takes it last, after the rows of members and accounts.
create table flotilla.cluster (
    only_row           boolean primary key default true check (only_row),
    cluster_id         uuid not null default gen_random_uuid(),
    mount_nonce        bytea check (octet_length(mount_nonce) = 16),
    member_limit       smallint not null default 20 check (member_limit between 1 and 1000),
    view_version       bigint not null default 0,
    config_version     bigint not null default 0,
    schema_version     integer not null default 0,
    -- The newest schema that a program must know at least to live with this one.
    min_reader_version integer not null default 1,
    -- Highest incarnation ever drawn: timeline << 40 | number. A row and no sequence: it needs a floor.
    last_incarnation   bigint not null default 0,
    -- Signs entries of the shared cache.
    cache_key          bytea not null check (octet_length(cache_key) = 32),
    first_token_at     timestamptz,
    created_at         timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

insert into flotilla.cluster (cache_key)
values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- One row for each slot that was ever taken. No index on what a heartbeat changes, and room in the page: so
-- heartbeats are HOT updates. Heartbeats change no key column, so FOR KEY SHARE (rule R3) never waits for
-- them.
create table flotilla.member (
    slot        smallint primary key check (slot > 0),
    name        text collate "C" not null unique,
    incarnation bigint not null unique check (incarnation > 0),
    status      text not null check (status in ('active', 'draining', 'dead')),
    hb_seq      bigint not null default 0,
    hb_at       timestamptz not null,
    -- Start of the unbroken chain of heartbeats, and how many came since.
    up_since    timestamptz not null,
    chain       integer not null default 0,
    joined_at   timestamptz not null,
    died_at     timestamptz,
    host        text not null,
    files_port  integer not null,
    admin_port  integer not null,
    version     text not null,
    attributes  jsonb not null default '{}',
    capacity    integer not null,
    inflight    integer not null default 0,
    load        real not null default 0,
    check ((status = 'dead') = (died_at is not null))
) with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Why each view came about; the newest 10,000.
create table flotilla.view_history (
    view_version bigint primary key,
    at           timestamptz not null default clock_timestamp(),
    reason       text not null,
    slot         smallint,
    name         text,
    incarnation  bigint
);

-- Incarnations that died. Dead is final: none of these numbers lives again.
create table flotilla.departed (
    incarnation bigint primary key,
    slot        smallint not null,
    name        text not null,
    reason      text not null,
    died_at     timestamptz not null default clock_timestamp(),
    -- The incarnation that clears what the dead one left, and since when it has the right to.
    swept_by    bigint,
    claimed_at  timestamptz,
    swept_at    timestamptz
);
create index departed_due on flotilla.departed (died_at) where swept_at is null;

create table flotilla.account (
    id            uuid primary key,
    name          text collate "C" not null unique check (octet_length(name) between 1 and 63),
    enabled       boolean not null,
    password_hash text,
    created_at    timestamptz not null,
    changed_at    timestamptz not null,
    revision      bigint not null default 1,
    -- Keys that the account has, and how often they changed: both lie in the row so that its lock covers
    -- them.
    key_count     smallint not null default 0 constraint account_key_limit check (key_count between 0 and 1000),
    key_changes   bigint not null default 0
);

create table flotilla.api_key (
    id         uuid primary key,
    account_id uuid not null references flotilla.account (id),
    label      text not null,
    digest     bytea not null unique check (octet_length(digest) = 32),
    created_at timestamptz not null,
    expires_at timestamptz,
    enabled    boolean not null
);
create index api_key_account on flotilla.api_key (account_id);

create table flotilla.token (
    id         uuid primary key,
    label      text not null,
    digest     bytea not null unique check (octet_length(digest) = 32),
    role       text not null check (role in ('admin', 'operator', 'auditor')),
    created_at timestamptz not null,
    expires_at timestamptz
);

-- What each configuration version made void in caches; the newest 10,000, without gaps.
create table flotilla.config_change (
    version  bigint primary key,
    at       timestamptz not null default clock_timestamp(),
    kinds    text[] not null,
    subjects text[] not null,
    check (cardinality(kinds) = cardinality(subjects))
);

-- The folders of an account that are being moved or removed. They lie in the home's row because a decision
-- that waited for the row's lock reads only this row anew.
create table flotilla.home (
    account_id       uuid primary key references flotilla.account (id),
    busy             bytea[] not null default '{}',
    busy_operation   uuid[] not null default '{}',
    busy_incarnation bigint[] not null default '{}',
    check (cardinality(busy) <= 1000),
    check (cardinality(busy) = cardinality(busy_operation) and cardinality(busy) = cardinality(busy_incarnation))
) with (fillfactor = 70);
create index home_busy on flotilla.home (account_id) where cardinality(busy) > 0;

-- One row for each path with an unfinished change. No foreign keys: their checks would lock more rows than
-- the decision does itself.
create table flotilla.name (
    account_id         uuid not null,
    path               bytea not null,
    path_key           bytea not null generated always as (sha256(path)) stored,
    operation          uuid not null,
    incarnation        bigint not null,
    state              text not null check (state in ('reserved', 'decided')),
    since              timestamptz not null default clock_timestamp(),
    -- Who asked; goes into the transfer log.
    account_name       text not null,
    node               text not null,
    protocol           text not null,
    client             text not null,
    started_at         timestamptz not null,
    -- What was decided. `subject` is the path it is about when that is not this row's own.
    change             text check (change in ('publish', 'move', 'remove')),
    subject            bytea,
    target             bytea,
    staged_incarnation bigint,
    staged_file        text,
    inode              bigint,
    size               bigint,
    modified           bigint,
    is_folder          boolean,
    digest             bytea check (octet_length(digest) = 32),
    replaces           boolean,
    primary key (account_id, path_key),
    check ((state = 'decided') = (change is not null)),
    check (change is null
           or (inode is not null and size is not null and modified is not null and is_folder is not null)),
    check (change is distinct from 'publish'
           or (staged_incarnation is not null and staged_file is not null and replaces is not null)),
    check (change is distinct from 'move' or target is not null)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
-- Plain uploads are decided at once and never enter it.
create index name_reserved on flotilla.name (operation) where state = 'reserved';

create table flotilla.transfer (
    id          uuid primary key,
    kind        text not null check (kind in ('upload', 'download', 'delete', 'move', 'folder')),
    status      text not null check (status in ('running', 'completed', 'failed')),
    account     text collate "C" not null,
    path        bytea not null,
    target      bytea,
    size        bigint not null,
    digest      bytea check (octet_length(digest) = 32),
    node        text not null,
    protocol    text not null,
    client      text not null,
    incarnation bigint not null,
    started_at  timestamptz not null,
    ended_at    timestamptz,
    reason      text,
    check ((status = 'running') = (ended_at is null))
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
create index transfer_started on flotilla.transfer (started_at, id);
create index transfer_ended on flotilla.transfer (coalesce(ended_at, 'infinity'), id);
create index transfer_size on flotilla.transfer (size, id);
create index transfer_account on flotilla.transfer (account, started_at, id);
-- Eight bytes of the digest: a path may be longer than an index entry.
create index transfer_path on flotilla.transfer (substr(sha256(path), 1, 8), started_at, id);
create index transfer_digest on flotilla.transfer (digest) where digest is not null;
create index transfer_running on flotilla.transfer (incarnation) where status = 'running';
create index transfer_failed on flotilla.transfer (started_at, id) where status = 'failed';
