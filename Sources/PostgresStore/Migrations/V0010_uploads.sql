-- Resumable uploads: what is durable of each, and who may write it. docs/UPLOADS.md has the protocol.

-- No foreign keys: their checks would lock more rows than the statements do themselves.
-- What changes with each note (durable, epoch, changed_at) is in no index, so that notes are HOT updates.
create table flotilla.upload (
    -- The operation's id, and the transfer's.
    id            uuid primary key,
    account_id    uuid not null,
    account_name  text not null,
    dialect       text not null check (dialect in ('tus', 'draft')),
    part          text not null check (part in ('whole', 'partial')),
    path          bytea,
    status        text not null default 'open' check (status in ('open', 'decided', 'finished', 'aborted')),
    length        bigint check (length >= 0),
    durable       bigint not null default 0 check (durable >= 0),
    -- Of the newest taking: only it may write.
    epoch         bigint,
    incarnation   bigint,
    -- How many there are: who waited for this row's lock cannot see segments that were made meanwhile.
    segments      integer not null default 0,
    metadata      text not null default '' check (octet_length(metadata) <= 4096),
    replaces      boolean not null,
    makes_parents boolean not null,
    digest        bytea check (octet_length(digest) = 32),
    reason        text,
    created_at    timestamptz not null default clock_timestamp(),
    changed_at    timestamptz not null default clock_timestamp(),
    -- Moved on only when that is worth an index entry: by a tenth of `kept` at least.
    expires_at    timestamptz not null,
    kept          interval not null check (kept between interval '1 minute' and interval '366 days'),
    check ((part = 'whole') = (path is not null)),
    check (length is null or durable <= length),
    check ((epoch is null) = (incarnation is null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index upload_account on flotilla.upload (account_id, id);
create index upload_expiry on flotilla.upload (expires_at);
create index upload_decided on flotilla.upload (id) where status = 'decided';

-- What each epoch wrote: the manifest, and the trail for people.
create table flotilla.segment (
    upload      uuid not null,
    number      integer not null,
    epoch       bigint not null,
    incarnation bigint not null,
    node        text collate "C" not null,
    file        text collate "C" not null,
    begins      bigint not null check (begins >= 0),
    ends        bigint not null check (ends >= begins),
    client      text not null,
    begun_at    timestamptz not null default clock_timestamp(),
    primary key (upload, number)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index segment_incarnation on flotilla.segment (incarnation);
