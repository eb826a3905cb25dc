package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Looking at what is ready.
extension PostgresStore {
    package func survey(
        after lane: JobLane?, lanes: Int, depth: Int
    ) async throws(StoreError) -> [LaneBacklog] {
        // One step of the index a lane; counting begins at the first entry that lives.
        let rows = try await self.queue(
            """
            with recursive step (lane, rank, job) as (
                (select r.lane, r.rank, r.job from flotilla.ready r where r.lane > \(lane?.rawValue ?? .min)
                 order by r.lane, r.rank, r.job limit 1)
                union all
                select n.* from step s cross join lateral (
                    select r.lane, r.rank, r.job from flotilla.ready r where r.lane > s.lane
                    order by r.lane, r.rank, r.job limit 1) n
            ), firsts as materialized (
                select * from step limit \(min(max(lanes, 1), Self.batchLimit))
            ), taken as materialized (
                select s.scope, count(*) as slots from flotilla.claim_slot s
                where (
                    select true from flotilla.claim c
                    where c.incarnation = s.incarnation and c.job = s.job and c.epoch = s.epoch limit 1)
                group by s.scope
            )
            select f.lane, f.rank, j.kind, j.account_id, j.waited,
                   (select count(*) from (
                       select from flotilla.ready r where r.lane = f.lane and r.rank >= f.rank
                       limit \(min(max(depth, 1), 1_000_000))) b),
                   array(select distinct unnest(j.requires || k.requires || o.requires) order by 1),
                   coalesce(k.weight, 1)::float8 * coalesce(o.weight, 1)::float8,
                   least(\(Self.room("k", "kt")), \(Self.room("o", "ot"))), k.per_node
            from firsts f
            cross join lateral (
                select j.kind, j.account_id, j.requires, \(JobRow.waited(rank: "f.rank")) as waited
                from flotilla.job j where j.id = f.job limit 1) j
            left join flotilla.job_policy k on k.scope = 'kind:' || j.kind
            left join flotilla.job_policy o on o.scope = 'account:' || j.account_id
            left join taken kt on kt.scope = k.scope
            left join taken ot on ot.scope = o.scope
            order by f.lane
            """)
        var backlog: [LaneBacklog] = []
        for row in rows { backlog.append(try Self.backlog(row)) }
        return backlog
    }

    /// Null without a limit; one that is not settled leaves nothing.
    private static func room(_ policy: PostgresStatement, _ taken: PostgresStatement) -> PostgresStatement {
        """
        case when \(policy).slots is not null then greatest(
            0, case when \(policy).settled then \(policy).slots else 0 end - coalesce(\(taken).slots, 0)) end
        """
    }

    private static func backlog(_ row: PostgresRow) throws(StoreError) -> LaneBacklog {
        let (lane, rank, kind, account, waited, ready, requires, weight, room, perNode) = try row.reading(
            Int64.self, Int64.self, String.self, UUID?.self, Int64.self, Int64.self, [String].self,
            Double.self,
            Int64?.self, Int16?.self)
        return LaneBacklog(
            lane: JobLane(lane), kind: try JobKind(job: kind), account: account.map { AccountID($0) },
            requires: requires, ready: Int(ready), firstRank: rank, waited: .microseconds(max(0, waited)),
            weight: weight, room: room.map { Int($0) }, perNode: perNode.map { Int($0) })
    }
}
