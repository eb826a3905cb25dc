-- Leases, and a leader with terms. Programs that know only version 1 can live with it: they neither lease nor lead.

-- Numbers of grants, never cached: a later grant of a subject must have a higher one.
create sequence flotilla.epoch cache 1 no cycle;

-- A row is the right to commit one piece of work. Never updated, only inserted and deleted.
create table flotilla.lease (
    kind        text collate "C" not null,
    id          text collate "C" not null,
    epoch       bigint not null unique check (epoch > 0),
    slot        smallint not null,
    incarnation bigint not null,
    order_kind  text collate "C",
    order_id    text collate "C",
    limit_key   text collate "C",
    limit_slot  smallint check (limit_slot > 0),
    limit_slots smallint,
    deadline_ms bigint check (deadline_ms > 0),
    acquired_at timestamptz not null default clock_timestamp(),
    primary key (kind, id),
    check ((limit_key is null) = (limit_slot is null) and (limit_key is null) = (limit_slots is null)),
    check ((order_kind is null) = (order_id is null))
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
create unique index lease_order on flotilla.lease (order_kind, order_id) where order_kind is not null;
create unique index lease_limit on flotilla.lease (limit_key, limit_slot) where limit_key is not null;
-- For the sweep; equal keys share an entry, so a million leases of one node cost little.
create index lease_holder on flotilla.lease (incarnation);
create index lease_deadline on flotilla.lease (epoch) where deadline_ms is not null;

-- Leases that were taken away from living holders, counted for each incarnation without a gap; a heartbeat's answer
-- has the count, so the holder knows that there is something to read.
alter table flotilla.member add column lease_losses bigint not null default 0;
create table flotilla.lease_loss (
    incarnation bigint not null,
    number      bigint not null check (number > 0),
    kind        text collate "C" not null,
    id          text collate "C" not null,
    epoch       bigint not null,
    reason      text not null,
    lost_at     timestamptz not null default clock_timestamp(),
    primary key (incarnation, number)
);

-- The member that leads, its incarnation, and a number that rises with each change of leader (COORDINATION.md).
alter table flotilla.cluster
    add column leader_slot smallint,
    add column leader_incarnation bigint,
    add column leader_term bigint not null default 0;
