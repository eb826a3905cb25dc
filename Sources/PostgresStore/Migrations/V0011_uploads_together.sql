-- Uploads that are put together from others, drafts' announcements, and what administrators see. docs/UPLOADS.md has the
-- protocol. None of it is in an index, so that notes stay HOT updates.
alter table flotilla.upload
    -- What it is put together from, in order; only of one whose bytes come from others.
    add column parts           uuid[],
    -- The one that a partial upload was given to last.
    add column part_of         uuid,
    -- When a node that puts its bytes together, or reads them, said so last.
    add column worked_at       timestamptz,
    -- The length that its client foretold; it becomes `length` only when the client says that this is all.
    add column announced       bigint check (announced >= 0),
    add column expected_digest bytea check (octet_length(expected_digest) = 32),
    -- How far it was a few seconds ago, and when that was.
    add column mark            bigint,
    add column marked_at       timestamptz;
