-- What operators do to members, and a feed of what happened. Programs of version 2 can live with it: they keep
-- what they do not know, and their own changes of members do not reach the feed.

alter table flotilla.member
    -- The session on which it beats: who accuses must hold its lock there.
    add column hb_pid integer,
    -- Who asked for the drain, while it lasts: a node ends only a drain of its own.
    add column drain_by text check (drain_by in ('operator', 'node')),
    add column drain_reason text,
    -- Set by operators; they stay with the name, before those that the node brings.
    add column set_attributes jsonb not null default '{}';

-- What happened, in the order of transactions. A reader takes what is older than every transaction in progress,
-- so nothing appears behind what it has read. The newest 10,000 or so stay.
create table flotilla.feed (
    xid     xid8 not null default pg_current_xact_id(),
    number  bigint not null generated always as identity,
    at      timestamptz not null default clock_timestamp(),
    topic   text not null,
    change  text not null,
    subject text not null,
    detail  jsonb not null default '{}',
    primary key (xid, number)
);
