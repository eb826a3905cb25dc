package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Taking claims away: from the dead, and from those who are overdue.
///
/// As with leases: of a sweep and an ending one deletes the row. A sweep of the dead needs no lock on the member, since
/// whoever declared the death waited for every ending in flight.
extension PostgresStore {
    package func sweepClaims(limit: Int, by right: NodeRight) async throws(StoreError) -> SweptClaims {
        let row = try await self.queueRow(
            Self.sweepDead(limit: min(max(limit, 1), Self.batchLimit), by: right))
        let (ready, failed, _, keys, isUnsettled) = try row.reading(
            Int64.self, Int64.self, Int64?.self, [String].self, Bool.self)
        if !keys.isEmpty { _ = try? await self.stageKeys(keys, by: right) }
        // Somebody made a limit and did not come to the end of it.
        if isUnsettled { try? await self.settleLimits() }
        return SweptClaims(ready: Int(ready), failed: Int(failed))
    }

    /// Holders are read off the index, one step each, so that the claims of the living cost nothing.
    private static func sweepDead(limit: Int, by right: NodeRight) -> PostgresStatement {
        """
        with recursive \(Fragments.me(right)), \(Fragments.deadHolders(in: "claim")), doomed as materialized (
            select c.tid from dead d cross join lateral (
                select c.ctid as tid from flotilla.claim c where c.incarnation = d.incarnation
                order by c.job limit \(limit)
                for update skip locked
            ) c
            limit \(limit)
        ), gone as (
            delete from flotilla.claim c where c.ctid = any (array(select tid from doomed)) returning c.*
        ), \(Self.returned(by: right, change: "node-died", reason: "'its node died'"))
        select (select count(*) from back), (select count(*) from judged where not again), (select number from news),
               (select coalesce(array_agg(h.order_key), '{}') from heads h where h.waits),
               exists (select from flotilla.job_policy p where p.slots is not null and not p.settled)
        """
    }

    package func deadlines(
        after title: JobTitle?, limit: Int
    ) async throws(StoreError) -> [OverdueCandidate] {
        let rows = try await self.queue(
            """
            select c.job, c.epoch, c.deadline_ms from flotilla.claim c
            where c.deadline_ms is not null
              and (c.epoch, c.job) > (\(title?.epoch.rawValue ?? 0), \(title?.job.rawValue ?? 0))
            order by c.epoch, c.job limit \(min(max(limit, 1), Self.batchLimit))
            """)
        var found: [OverdueCandidate] = []
        for row in rows {
            let (job, epoch, deadline) = try row.reading(Int64.self, Int64.self, Int64.self)
            found.append(
                OverdueCandidate(title: try JobRow.title(job, epoch), deadline: .milliseconds(deadline)))
        }
        return found
    }

    package func sweepOverdue(_ titles: [JobTitle], by right: NodeRight) async throws(StoreError)
        -> [JobTitle]
    {
        guard !titles.isEmpty else { return [] }
        try Self.check(batch: titles.count)
        let sorted = titles.sorted { $0.job < $1.job }
        let row = try await self.queueRow(
            """
            with \(Fragments.me(right)), doomed as materialized (
                select c.tid from unnest(\(sorted.map(\.job.rawValue)), \(sorted.map(\.epoch.rawValue))) as a (job, epoch)
                cross join lateral (
                    select c.ctid as tid from flotilla.claim c
                    where c.epoch = a.epoch and c.job = a.job and c.deadline_ms is not null
                    limit 1 for update skip locked
                ) c
                where exists (select from me)
            ), gone as (
                delete from flotilla.claim c where c.ctid = any (array(select tid from doomed)) returning c.*
            ), lost as materialized (
                select 'job'::text as kind, job::text as id, epoch, incarnation from gone
            ), \(Fragments.told("lost", reason: "overdue")),
            \(Self.returned(by: right, change: "overdue", reason: "'its deadline passed'"))
            select (select coalesce(array_agg(job), '{}') from gone),
                   (select coalesce(array_agg(epoch), '{}') from gone), (select number from news),
                   (select coalesce(array_agg(h.order_key), '{}') from heads h where h.waits)
            """)
        let (jobs, epochs, _, keys) = try row.reading([Int64].self, [Int64].self, Int64?.self, [String].self)
        if !keys.isEmpty { _ = try? await self.stageKeys(keys, by: right) }
        var ended: [JobTitle] = []
        for (job, epoch) in zip(jobs, epochs) { ended.append(try JobRow.title(job, epoch)) }
        return ended.sorted { $0.job < $1.job }
    }

    /// Where the jobs go whose claims are in `gone`: ready again at their old place, or failed.
    private static func returned(
        by right: NodeRight, change: PostgresStatement, reason: PostgresStatement
    ) -> PostgresStatement {
        """
        judged as materialized (
            select g.*, j.kind, g.attempt < j.max_attempts as again,
                   coalesce(m.name, d.name, 'worker-' || g.slot) as node
            from gone g
            cross join lateral (
                select j.kind, j.max_attempts from flotilla.job j where j.id = g.job limit 1
            ) j
            left join flotilla.member m on m.incarnation = g.incarnation
            left join flotilla.departed d on d.incarnation = g.incarnation
        ), back as (
            insert into flotilla.ready (lane, rank, job, attempt)
            select lane, rank, job, attempt from judged where again
            returning job
        ), outcomes as (
            insert into flotilla.outcome (job, status, attempt, epoch, slot, note)
            select job, 'f', attempt, epoch, slot, \(reason) || ' in the last attempt' from judged where not again
        ), remembered as (
            insert into flotilla.job_history (job, change, attempt, epoch, node, note)
            select job, '\(change)', attempt, epoch, node, \(reason) from judged
            union all
            select job, 'failed', attempt, epoch, node, 'no attempt is left' from judged where not again
        ), \(JobFragments.fed("failed", from: "judged", where: "not e.again", by: right.name.description)),
        \(JobFragments.slotsFreed(by: "gone")), \(JobFragments.keys(of: "judged", where: "e.keyed and not e.again")),
        \(JobFragments.headsMoved(past: "keys")), \(JobFragments.news(ifAny: "back"))
        """
    }
}
