import ClusterModel
import PostgresDriver

/// The statement that claims what is first in some lanes, where no limit stands in the way.
///
/// It makes sure of that itself. What it reads of limits is as old as its snapshot, so it also compares their number
/// in the snapshot with the sequence, which is not: when they differ, a limit has come into being since, and it claims
/// nothing. Who makes a limit waits for those that began before (``gate``), and finds their claims then.
enum ClaimStatement {
    /// Rows of jobs, with what came of it in front; a row without a job if there is none.
    static func claim(_ shares: [LaneShare], by right: NodeRight) -> PostgresStatement {
        """
        with \(Self.me(right)), \(Self.gate), known as materialized (
            select \(Self.isStale) as stale, exists (
                select from flotilla.job_policy p
                where p.slots is not null and p.scope = any (\(Self.scopes(shares)))) as limited
            where (select count(*) from gate) > 0
        ), picked as materialized (
            select p.tid from unnest(
                \(shares.map(\.lane.rawValue)), \(shares.map { $0.from ?? .min }), \(shares.map { Int32(clamping: $0.most) })
            ) as a (lane, first, most)
            cross join lateral (
                select r.ctid as tid from flotilla.ready r where r.lane = a.lane and r.rank >= a.first
                order by r.rank, r.job limit a.most
                for update skip locked
            ) p
            where (select not k.stale and not k.limited from known k)
        ), drawn as materialized (
            select \(JobFragments.epoch) as epoch where (select count(*) from picked) > 0
        ), \(Self.claimed(from: "picked", limited: "false", by: right))
        """
    }

    /// As ``Fragments/me(_:)``, and whether it may begin something.
    static func me(_ right: NodeRight) -> PostgresStatement {
        """
        me as materialized (
            select incarnation, status = 'active' as active from flotilla.member
            where slot = \(right.slot.rawValue) and incarnation = \(right.incarnation.rawValue)
              and status in ('active', 'draining')
            for key share
        )
        """
    }

    /// Everybody who claims holds it, until the claim has committed.
    static let gate: PostgresStatement = """
        gate as materialized (select pg_advisory_xact_lock_shared(\(unescaped: Self.gateKey)) from me where active)
        """

    /// With two keys, so that it is never taken for the lock of an incarnation, which has one.
    static let gateKey = "1718382452, 4"

    static let isStale: PostgresStatement =
        "(select number from flotilla.job_limit) <> (select last_value from flotilla.job_limit_number)"

    static func scopes(_ shares: [LaneShare]) -> [String] {
        Set(
            shares.flatMap { share in [Self.kindScope(share)] + (Self.accountScope(share).map { [$0] } ?? [])
            }
        )
        .sorted()
    }

    static func kindScope(_ share: LaneShare) -> String { "kind:\(share.kind)" }
    static func accountScope(_ share: LaneShare) -> String? { share.account.map { "account:\($0)" } }

    /// What all variants have at their end: `source` is a CTE with the places of locked rows.
    static func claimed(
        from source: String, limited: PostgresStatement, by right: NodeRight
    ) -> PostgresStatement {
        """
        gone as (
            delete from flotilla.ready r where r.ctid = any (array(select tid from \(unescaped: source)))
            returning r.lane, r.rank, r.job, (r.attempt + 1)::int2 as attempt
        ), chosen as materialized (
            select g.*, j.*, \(limited) as limited from gone g cross join lateral (
                select \(JobRow.columns(rank: "g.rank")) from flotilla.job j where j.id = g.job limit 1
            ) j
        ), claimed as (
            insert into flotilla.claim (
                incarnation, job, epoch, slot, lane, rank, attempt, keyed, limited, deadline_ms)
            select m.incarnation, c.job, d.epoch, \(right.slot.rawValue), c.lane, c.rank, c.attempt, c.keyed,
                   c.limited, c.deadline_ms
            from me m cross join drawn d cross join chosen c
        )
        select m.active, coalesce(k.stale, false), coalesce(k.limited, false), \(JobRow.claimed)
        from me m left join known k on true
        left join (select d.epoch, c.* from drawn d cross join chosen c) c on true
        left join lateral (
            select p.checkpoint from flotilla.job_progress p where p.job = c.job limit 1
        ) p on true
        order by c.lane, c.rank, c.job
        """
    }
}
