-- How changes of names become events and jobs (docs/QUEUE.md). Programs of version 4 can live with it: what they finish
-- makes no events.

-- A change of names that is final, as `tell` takes it.
create type flotilla.name_change as (
    operation    uuid,
    account_id   uuid,
    account      text,
    change       text,
    is_folder    boolean,
    path         bytea,
    target       bytea,
    -- The paths for people: what is no UTF-8 in them is replaced, which SQL cannot do.
    shown        text,
    shown_target text,
    size         bigint,
    digest       bytea,
    node         text
);

-- Writes an event for each change that webhooks want to hear of, and a job for each of them; answers how many jobs.
-- A function and no part of the statement that finishes changes: so that costs nothing while there are no webhooks.
-- Planned once for each connection: planning takes longer than running it.
create function flotilla.tell(changes flotilla.name_change[]) returns integer language plpgsql
    set plan_cache_mode = force_generic_plan
    -- The keys of ordered webhooks are joined by hash: row by row, hundreds of changes take seconds.
    -- What cannot be joined so looks dear then, and must not be compiled for that.
    set enable_nestloop = off set jit = off as $$
declare
    told integer;
begin
    with matched as materialized (
        select c.*, k.kind, w.id as webhook, w.name, w.max_attempts, w.ordered
        from unnest(changes) as c
        cross join lateral (select case
            when c.change = 'move' then case when c.is_folder then 'folder.moved' else 'file.moved' end
            when c.change = 'remove' then case when c.is_folder then 'folder.removed' else 'file.removed' end
            when c.is_folder then 'folder.created' else 'file.published' end) as k (kind)
        join flotilla.webhook w
            on w.enabled and (w.account_id is null or w.account_id = c.account_id) and k.kind = any (w.events)
            and (w.below = '' or c.path = w.below or c.target = w.below
                 or substr(c.path, 1, octet_length(w.below) + 1) = w.below || '\x2f'
                 or substr(c.target, 1, octet_length(w.below) + 1) = w.below || '\x2f')
    ), happened as materialized (
        select operation, nextval('flotilla.event_number') as event, clock_timestamp() as at
        from (select distinct operation from matched) m
    ), work as materialized (
        select m.*, h.event, h.at, nextval('flotilla.job_number') as job, case when m.ordered then
            'webhook/' || m.webhook || '/' || encode(substr(sha256(uuid_send(m.account_id) || m.path), 1, 16), 'hex')
            end as order_key
        from matched m join happened h on h.operation = m.operation
    ), noted as (
        insert into flotilla.event (
            id, at, kind, account_id, account, path, target, size, digest, operation, node, jobs)
        select event, at, kind, account_id, account, path, target, size, digest, operation, node,
               array_agg(job order by job)
        from work group by event, at, kind, account_id, account, path, target, size, digest, operation, node
    ), keys as (
        -- Tickets for all jobs of a key. The first is let through at once if nobody stands in line.
        insert into flotilla.job_key as k (order_key, head, tail, passed)
        select order_key, 0, count(*), 0 from work where order_key is not null group by order_key
        order by order_key collate "C"
        on conflict (order_key) do update
        set tail = k.tail + excluded.tail, passed = case when k.head = k.tail then k.head else k.passed end
        returning k.order_key, k.head, k.tail
    ), placed as materialized (
        select w.*, k.head, flotilla.job_lane('webhook', w.account_id, '{}') as lane,
               flotilla.job_rank(w.at, 5::smallint) as rank, case when w.order_key is not null then
                   k.tail - row_number() over (partition by w.order_key order by w.job desc) end as ticket
        from work w left join keys k on k.order_key = w.order_key
    ), enqueued as (
        insert into flotilla.job (
            id, lane, kind, account_id, bytes, max_attempts, order_key, ticket, submitter, payload)
        select job, lane, 'webhook', account_id, size, max_attempts, order_key, ticket, 'webhook/' || name,
            jsonb_build_object('webhook', webhook, 'event', jsonb_strip_nulls(jsonb_build_object(
                'id', event, 'kind', kind,
                'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'account', account, 'account_id', account_id, 'path', shown, 'target', shown_target,
                'path_base64', case when convert_to(shown, 'UTF8') <> '\x2f' || path
                    then translate(encode(path, 'base64'), E'\n', '') end,
                'target_base64', case when convert_to(shown_target, 'UTF8') <> '\x2f' || target
                    then translate(encode(target, 'base64'), E'\n', '') end,
                'size', case when not is_folder then size end, 'sha256', encode(digest, 'hex'),
                'operation', operation, 'node', node)))
        from placed
    ), readied as (
        insert into flotilla.ready (lane, rank, job)
        select lane, rank, job from placed where ticket is null or ticket = head
    ), queued as (
        insert into flotilla.waiting (order_key, ticket, job, lane, rank)
        select order_key, ticket, job, lane, rank from placed where ticket > head
    )
    select count(*) into told from placed;
    return told;
end $$;
