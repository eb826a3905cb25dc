-- Heartbeats tell when a shard was assigned, given up or pinned, so that nobody has to read the rows to find out.
-- Programs of version 8 can live with it: they have no shards.
alter table flotilla.cluster add column shard_version bigint not null default 0;
