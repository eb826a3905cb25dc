import ClusterModel
import PostgresDriver

/// The statement that grants leases: one row with the subjects that were granted and their epochs.
///
/// Whoever is not among them is looked at by ``JudgeStatement``. The requests come in the order of their subjects.
enum AcquireStatement {
    /// - Parameter attempt: from 0; spreads the slots that racers choose.
    static func acquire(_ requests: [LeaseRequest], by right: NodeRight, attempt: Int) -> PostgresStatement {
        if requests.contains(where: { $0.limit != nil }) {
            return Self.limited(requests, by: right, attempt: attempt)
        }
        // Looking only for the conflict that can be spares looks into the other indexes.
        let isOrdered = requests.contains { $0.orderKey != nil }
        return """
            with \(Fragments.me(right)), \(Self.asked(requests)), chosen as (
                -- All turns come before the first row, as with limits: or the two would wait for each other.
                select a.*, null::smallint as limit_slot from asked a where (select count(*) from asked) >= 0
            ), \(Self.granted(by: right, onConflict: isOrdered ? "" : "(kind, id)"))
            \(Self.answer)
            """
    }

    /// The requests, each once its subject's turn is this statement's, until that has committed.
    ///
    /// A number is drawn before the row is in, and what comes between may last: another node's row that rolls back, a
    /// page to be read, a process that is not scheduled. Without the turn another grant of the subject could come and
    /// go meanwhile, with a higher number (decision 0019). The lock has two keys, so it is never taken for a sign of
    /// life of an incarnation, which has one; two subjects that share a key wait for each other, and that is all.
    private static func asked(_ requests: [LeaseRequest]) -> PostgresStatement {
        """
        asked as materialized (
            select a.*, pg_advisory_xact_lock(\(unescaped: "\(Self.turns)"), hashtext(a.kind || '/' || a.id)) as turn
            from \(LeaseColumns.unnested(requests))
            where exists (select from me)
        )
        """
    }

    /// The first key of the locks that order the grants of a subject; "flou", beside the migrations' "flot".
    private static let turns = 1_718_382_453

    /// Turns that one statement takes at most.
    ///
    /// A server has room for 64 locks for each connection that it allows, unless told otherwise, and a node is
    /// reckoned with five connections: this leaves a third of its 320 to everything else.
    static let mostTurns = 200

    /// Of each limit's free slots the k-th goes to its k-th request.
    ///
    /// `room` is what the limit leaves by count: after it was lowered there may be holders in slots above it. Then the
    /// lowest free slots are taken, so that racers meet; otherwise the slots are spread, so that they do not.
    private static func limited(
        _ requests: [LeaseRequest], by right: NodeRight, attempt: Int
    ) -> PostgresStatement {
        let spread = Int64(attempt + 1) * (right.incarnation.sequence * 7 + Int64(attempt) * 13)
        return """
            with \(Fragments.me(right)), \(Self.asked(requests)), \(Self.limits), free as materialized (
                select f.limit_key, f.slot::smallint as limit_slot,
                       row_number() over (
                           partition by f.limit_key
                           order by case when f.lowered then f.slot else (f.slot + \(spread)) % f.slots end) as rank
                from (
                    select k.*, s.slot from limits k, generate_series(1, k.slots) as s (slot) where k.room > 0
                ) f
                where not exists (
                    select from flotilla.lease l where l.limit_key = f.limit_key and l.limit_slot = f.slot)
            ), ranked as materialized (
                select a.*, row_number() over (partition by a.limit_key order by a.place) as rank from asked a
            ), chosen as materialized (
                select r.*, f.limit_slot
                from ranked r
                left join limits k on k.limit_key = r.limit_key
                left join free f on f.limit_key = r.limit_key and f.rank = r.rank and f.rank <= k.room
                where r.limit_key is null or f.limit_slot is not null
                order by r.place
            ), \(Self.granted(by: right, onConflict: ""))
            \(Self.answer)
            """
    }

    /// What each limit of the CTE `asked` leaves.
    static let limits: PostgresStatement = """
        limits as materialized (
            select k.limit_key, k.slots, k.slots - count(l.epoch) as room,
                   coalesce(max(l.limit_slot) > k.slots, false) as lowered
            from (
                select a.limit_key, min(a.limit_slots) as slots from asked a
                where a.limit_key is not null group by a.limit_key
            ) k left join flotilla.lease l on l.limit_key = k.limit_key
            group by k.limit_key, k.slots
        )
        """

    /// A conflict takes one out, never the batch.
    private static func granted(by right: NodeRight, onConflict: PostgresStatement) -> PostgresStatement {
        """
        granted as (
            insert into flotilla.lease (
                kind, id, epoch, slot, incarnation, order_kind, order_id, limit_key, limit_slot, limit_slots,
                deadline_ms)
            select c.kind, c.id, (select \(Fragments.timeline) << 40) | nextval('flotilla.epoch'),
                   \(right.slot.rawValue), m.incarnation, c.order_kind, c.order_id, c.limit_key, c.limit_slot,
                   c.limit_slots, c.deadline_ms
            from me m cross join chosen c
            on conflict \(onConflict) do nothing
            returning kind, id, epoch
        )
        """
    }

    private static let answer: PostgresStatement = """
        select exists (select from me), coalesce(array_agg(g.kind || '/' || g.id), '{}'),
               coalesce(array_agg(g.epoch), '{}')
        from granted g
        """
}

/// The statement that tells why a request was not granted: a fresh look at what is there now.
enum JudgeStatement {
    enum Verdict: String {
        case taken
        case outOfOrder
        case limited
        /// What was in the way is gone again.
        case free
    }

    /// One row with a list of verdicts in the order of the requests.
    static func judge(_ requests: [LeaseRequest]) -> PostgresStatement {
        """
        with asked as materialized (
            select * from \(LeaseColumns.unnested(requests))
        ), \(AcquireStatement.limits)
        select array_agg(case
            when exists (select from flotilla.lease l where l.kind = a.kind and l.id = a.id) then 'taken'
            when a.order_kind is not null and exists (
                select from flotilla.lease l where l.order_kind = a.order_kind and l.order_id = a.order_id)
                then 'outOfOrder'
            when a.limit_key is not null and exists (
                select from limits k where k.limit_key = a.limit_key and k.room <= 0) then 'limited'
            else 'free' end order by a.place)
        from asked a
        """
    }
}
