import ClusterModel
import PostgresDriver

/// The statement that claims under limits: a numbered slot of each of its scopes for each job (`claim_slot`).
///
/// Slots are unique, so a limit is never exceeded; who does not get all of its slots stays ready. A slot row whose
/// claim is not there counts for nothing and is taken over: both are written by one statement, so whoever sees the
/// slot and not its claim knows that it never comes. The account's slot is taken before the kind's, each in the order
/// of numbers, so nobody waits in a circle.
enum LimitedClaimStatement {
    static func claim(_ shares: [LaneShare], by right: NodeRight, attempt: Int) -> PostgresStatement {
        """
        with \(ClaimStatement.me(right)), \(ClaimStatement.gate), known as materialized (
            select \(ClaimStatement.isStale) as stale, false as limited where (select count(*) from gate) > 0
        ), \(Self.scopes(ClaimStatement.scopes(shares))), \(Self.free(right, attempt: attempt)), \
        \(Self.picked(shares)), drawn as materialized (
            select \(JobFragments.epoch) as epoch where (select count(*) from picked) > 0
        ), first as (
            \(Self.slots("account_scope", of: "picked", by: right))
        ), passed as materialized (
            select * from picked
            where account_scope is null or job = any (array(select job from first))
        ), second as (
            \(Self.slots("kind_scope", of: "passed", by: right))
        ), complete as materialized (
            select * from passed where kind_scope is null or job = any (array(select job from second))
        ), \(ClaimStatement.claimed(from: "complete", limited: Self.hasSlots, by: right))
        """
    }

    private static let hasSlots: PostgresStatement =
        "g.job = any (array(select job from first union all select job from second))"

    /// Whose slots are taken, and what each limit leaves.
    ///
    /// One that is not settled leaves nothing.
    private static func scopes(_ scopes: [String]) -> PostgresStatement {
        """
        taken as materialized (
            select s.scope, s.slot, s.job, s.epoch, exists (
                select from flotilla.claim c
                where c.incarnation = s.incarnation and c.job = s.job and c.epoch = s.epoch) as live
            from flotilla.claim_slot s where s.scope = any (\(scopes))
        ), scopes as materialized (
            select p.scope, p.slots, case when p.settled then p.slots else 0 end - count(t.slot) as room,
                   coalesce(max(t.slot) > p.slots, false) as lowered
            from flotilla.job_policy p left join taken t on t.scope = p.scope and t.live
            where p.slots is not null and p.scope = any (\(scopes))
            group by p.scope, p.slots, p.settled
        )
        """
    }

    /// The free slots of each scope in the order in which they are to be taken: spread, so that racers seldom meet;
    /// but the lowest ones while there are claims above a limit that was lowered, so that they do.
    private static func free(_ right: NodeRight, attempt: Int) -> PostgresStatement {
        let spread = right.incarnation.sequence * 7 + Int64(attempt) * 13
        return """
            free as materialized (
                select f.scope, f.slot, row_number() over (
                    partition by f.scope
                    order by case when f.lowered then f.slot else (f.slot + \(spread)) % f.slots end) as nth, f.room
                from (
                    select s.*, n.slot from scopes s, generate_series(1, s.slots) as n (slot) where s.room > 0
                ) f
                where not exists (
                    select from taken t where t.scope = f.scope and t.slot = f.slot and t.live)
            )
            """
    }

    private static func picked(_ shares: [LaneShare]) -> PostgresStatement {
        """
        picked as materialized (
            select p.tid, p.job, p.rank, a.place, a.account_scope, a.kind_scope from (
                select a.lane, a.first, a.place, o.scope as account_scope, k.scope as kind_scope,
                       greatest(0, least(a.most, o.room, k.room)) as most
                from unnest(
                    \(shares.map(\.lane.rawValue)), \(shares.map { $0.from ?? .min }),
                    \(shares.map { Int32(clamping: $0.most) }), \(shares.map { ClaimStatement.accountScope($0) }),
                    \(shares.map { ClaimStatement.kindScope($0) })
                ) with ordinality as a (lane, first, most, account, kind, place)
                left join scopes o on o.scope = a.account
                left join scopes k on k.scope = a.kind
                order by a.place
            ) a
            cross join lateral (
                select r.ctid as tid, r.job, r.rank from flotilla.ready r
                where r.lane = a.lane and r.rank >= a.first
                order by r.rank, r.job limit a.most
                for update skip locked
            ) p
            where (select not k.stale from known k)
        )
        """
    }

    /// Of each scope's free slots the n-th goes to its n-th job.
    private static func slots(
        _ scope: PostgresStatement, of source: PostgresStatement, by right: NodeRight
    ) -> PostgresStatement {
        """
        insert into flotilla.claim_slot as s (scope, slot, incarnation, job, epoch)
            select w.\(scope), f.slot, \(right.incarnation.rawValue), w.job, d.epoch
            from (
                select p.\(scope), p.job,
                       row_number() over (partition by p.\(scope) order by p.place, p.rank, p.job) as nth
                from \(source) p where p.\(scope) is not null
            ) w
            join free f on f.scope = w.\(scope) and f.nth = w.nth and f.nth <= f.room
            cross join drawn d
            order by w.\(scope), f.slot
            on conflict (scope, slot) do update
            set incarnation = excluded.incarnation, job = excluded.job, epoch = excluded.epoch
            where (s.job, s.epoch) in (
                select t.job, t.epoch from taken t
                where t.scope = s.scope and t.slot = s.slot and not t.live)
            returning s.job
        """
    }
}
