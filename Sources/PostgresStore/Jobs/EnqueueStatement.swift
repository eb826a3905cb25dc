import ClusterModel
import PostgresDriver

/// The statements that enqueue jobs; each has only the parts that some job of its batch needs.
///
/// Locks, in this order: submissions by submitter and key, order keys. So two batches never wait in a circle.
enum EnqueueStatement {
    /// One row: the places in the batch (from 1) of the jobs that were enqueued, and their numbers.
    ///
    /// Those that are missing were submitted before, or by somebody else in the same moment.
    static func enqueue(_ specs: [JobSpec]) -> PostgresStatement {
        """
        with \(Self.parts(specs))
        select coalesce(array_agg(place), '{}'), coalesce(array_agg(id), '{}') from ranked
        """
    }

    /// The same as CTEs, for statements that do more; `ranked` has a row for each job that is enqueued.
    ///
    /// - Parameter condition: SQL over `a`, a job that is asked for; those for which it is false are left out.
    static func parts(_ specs: [JobSpec], where condition: PostgresStatement = "true") -> PostgresStatement {
        let isSubmitted = specs.contains { $0.idempotencyKey != nil }
        let isKeyed = specs.contains { $0.orderKey != nil }
        let isDelayed = specs.contains { $0.delay != nil }
        // Statements, each: a string would become a parameter.
        let first: PostgresStatement = isSubmitted ? Self.submissions : "fresh as (select * from asked)"
        let due: PostgresStatement = isDelayed ? "n.time + f.delay * interval '1 microsecond'" : "n.time"
        let tickets: PostgresStatement = isKeyed ? Self.tickets : ""
        let source: PostgresStatement = isKeyed ? "ticketed" : "fresh"
        let isNext: PostgresStatement = isKeyed ? "t.is_first" : "true"
        let ticket: PostgresStatement = isKeyed ? "ticket" : "null"
        var statement: PostgresStatement = """
            asked as materialized (
                select a.*, nextval('flotilla.job_number') as id from \(Self.asked(specs))
                where \(condition) order by a.place
            ), \(first), now as materialized (
                select clock_timestamp() as time
            ), \(tickets) timed as materialized (
                select f.*, n.time, \(due) as due_at,
                       flotilla.job_lane(f.kind, f.account_id, f.places) as lane
                from \(source) f cross join now n
            ), ranked as materialized (
                select t.*, flotilla.job_rank(t.due_at, t.priority) as rank, \(isNext) as is_next
                from timed t
            ), jobs as (
                insert into flotilla.job (
                    id, lane, kind, account_id, priority, bytes, max_attempts, deadline_ms, order_key, ticket, requires,
                    submitter, created_at, payload)
                select id, lane, kind, account_id, priority, bytes, max_attempts, deadline_ms, order_key,
                       \(ticket), places, submitter, time, payload
                from ranked
            ), now_ready as (
                insert into flotilla.ready (lane, rank, job)
                select lane, rank, id from ranked where is_next and due_at <= time
            )
            """
        if isDelayed {
            statement.append(
                """
                , delayed as (
                    insert into flotilla.later (due_at, job, lane, rank)
                    select due_at, id, lane, rank from ranked where is_next and due_at > time
                )
                """)
        }
        if isKeyed {
            statement.append(
                """
                , behind as (
                    insert into flotilla.waiting (order_key, ticket, job, lane, rank, due_at)
                    select order_key, ticket, id, lane, rank, case when due_at > time then due_at end
                    from ranked where not is_next
                )
                """)
        }
        return statement
    }

    /// What stands under the submitters' keys of these jobs: rows of place, job, and whether it is the same content.
    static func lookUp(_ specs: [JobSpec]) -> PostgresStatement {
        """
        select a.place, s.job, s.digest = \(Self.digest) from \(Self.asked(specs))
        cross join lateral (
            select s.job, s.digest from flotilla.job_submission s
            where s.submitter = a.submitter and s.idempotency_key = a.idempotency_key limit 1
        ) s
        """
    }

    private static func asked(_ specs: [JobSpec]) -> PostgresStatement {
        """
        (
            select u.kind, u.account_id, u.payload, u.priority, u.delay, u.order_key, u.bytes, u.max_attempts,
                   u.deadline_ms, \(Self.places(specs)) as places, u.submitter, u.idempotency_key, u.place
            from unnest(
                \(specs.map(\.kind.description)), \(specs.map { $0.account?.rawValue }),
                \(specs.map { PostgresJSON($0.payload) }), \(specs.map { Int16(clamping: $0.priority) }),
                \(specs.map { $0.delay.map { $0.wholeNanoseconds / 1_000 } ?? 0 }), \(specs.map(\.orderKey)),
                \(specs.map(\.bytes)), \(specs.map { Int16(clamping: $0.maxAttempts) }),
                \(specs.map { $0.deadline?.wholeMilliseconds }),
                \(specs.map { Self.places($0).joined(separator: "\u{1f}") }), \(specs.map(\.submitter)),
                \(specs.map(\.idempotencyKey))
            ) with ordinality as u (
                kind, account_id, payload, priority, delay, order_key, bytes, max_attempts, deadline_ms, places,
                submitter, idempotency_key, place)
        ) a
        """
    }

    private static func places(_ specs: [JobSpec]) -> PostgresStatement {
        specs.contains { !$0.requires.isEmpty }
            ? "case when u.places = '' then '{}' else string_to_array(u.places, chr(31)) end" : "'{}'::text[]"
    }

    /// In one order, so that the same places make the same lane.
    private static func places(_ spec: JobSpec) -> [String] { Set(spec.requires).sorted() }

    /// Of all that matters about a job.
    ///
    /// The payload in the server's own form: spaces and the order of names do not matter.
    private static let digest: PostgresStatement = """
        sha256(convert_to(jsonb_build_array(
            a.kind, a.account_id, a.payload, a.priority, a.delay, a.order_key, a.bytes, a.max_attempts, a.deadline_ms,
            a.places)::text, 'UTF8'))
        """

    /// A conflict takes a job out of the batch.
    ///
    /// Who waits for another submitter finds out afterwards how that ended.
    private static let submissions: PostgresStatement = """
        submitted as (
            insert into flotilla.job_submission (submitter, idempotency_key, job, digest)
            select a.submitter, a.idempotency_key, a.id, \(digest)
            from asked a where a.idempotency_key is not null
            order by a.submitter collate "C", a.idempotency_key collate "C", a.place
            on conflict do nothing
            returning job
        ), fresh as materialized (
            select * from asked a
            where a.idempotency_key is null or a.id in (select job from submitted)
        )
        """

    /// Takes so many tickets at the end; where nobody waits, the first of them is let through.
    static let onKeyConflict: PostgresStatement = """
        on conflict (order_key) do update
        set tail = k.tail + excluded.tail, passed = case when k.head = k.tail then k.head else k.passed end
        returning k.order_key, k.tail, k.passed
        """

    /// The first job of a key behind which nobody waits is let through at once.
    private static let tickets: PostgresStatement = """
        tails as (
            insert into flotilla.job_key as k (order_key, head, tail, passed)
            select f.order_key, 0, count(*), 0 from fresh f where f.order_key is not null
            group by f.order_key order by f.order_key collate "C"
            \(onKeyConflict)
        ), ticketed as materialized (
            select f.*, t.tail - t.count + f.nth as ticket,
                   f.order_key is null or t.passed = t.tail - t.count + f.nth as is_first
            from (
                select f.*, row_number() over (partition by f.order_key order by f.place) - 1 as nth from fresh f
            ) f
            left join (
                select t.order_key, t.tail, t.passed, c.count from tails t
                join (
                    select order_key, count(*) as count from fresh where order_key is not null group by order_key
                ) c on c.order_key = t.order_key
            ) t on t.order_key = f.order_key
        ),
        """
}
