package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// What operators see of the queue.
extension PostgresStore: JobControl {
    package func jobs(_ query: JobQuery) async throws(StoreError) -> [JobRecord] {
        guard (1...Self.batchLimit).contains(query.limit) else {
            throw .refused(sqlState: "22000", message: "a page has 1 to 1,000 jobs, not \(query.limit)")
        }
        var records: [JobRecord] = []
        for row in try await self.queue(JobListing.page(query)) { records.append(try JobListing.record(row)) }
        return records
    }

    package func job(
        _ id: JobID
    ) async throws(StoreError) -> (record: JobRecord, history: [JobHistoryEntry])? {
        guard let row = try await self.queue(JobListing.one(id)).first else { return nil }
        let record = try JobListing.record(row)
        let rows = try await self.queue(
            """
            select at, change, attempt, epoch, node, note from flotilla.job_history
            where job = \(id.rawValue) order by number desc limit \(Self.batchLimit)
            """)
        var history: [JobHistoryEntry] = []
        for row in rows {
            let (at, change, attempt, epoch, node, note) = try row.reading(
                Date.self, String.self, Int16.self, Int64?.self, String?.self, String?.self)
            history.append(
                JobHistoryEntry(
                    at: at, change: change, attempt: Int(attempt),
                    epoch: epoch.flatMap { Epoch(rawValue: $0) },
                    node: node, note: note))
        }
        return (record, history.reversed())
    }

    package func counts(_ grouping: Set<JobGrouping>) async throws(StoreError) -> [JobCount] {
        // By lane first: one look at a job tells the kind and account of all in its lane. Numbers rise, so the lowest
        // one is the oldest.
        let needsLane = grouping.contains(.kind) || grouping.contains(.account)
        let ended: PostgresStatement =
            needsLane
            ? """
            select o.status::text, j.lane, count(*), min(o.job) from flotilla.outcome o
            join flotilla.job j on j.id = o.job group by o.status, j.lane
            """
            : "select o.status::text, null::int8, count(*), min(o.job) from flotilla.outcome o group by o.status"
        func key(_ group: JobGrouping, _ column: PostgresStatement) -> PostgresStatement {
            grouping.contains(group) ? column : "null"
        }
        let rows = try await self.queue(
            """
            with counted (state, lane, incarnation, slot, jobs, first) as materialized (
                select 'ready', lane, null::int8, null::int2, count(*), min(job) from flotilla.ready group by lane
                union all
                select 'later', lane, null, null, count(*), min(job) from flotilla.later group by lane
                union all
                select 'waiting', lane, null, null, count(*), min(job) from flotilla.waiting group by lane
                union all
                select 'claimed', lane, incarnation, min(slot), count(*), min(job)
                from flotilla.claim group by lane, incarnation
                union all
                select case e.status when 'd' then 'done' when 'f' then 'failed' else 'cancelled' end, e.lane, null,
                       null, e.jobs, e.first
                from (\(ended)) e (status, lane, jobs, first)
            ), named as (
                select \(key(.state, "c.state"))::text as state, \(key(.kind, "j.kind"))::text as kind,
                       \(key(.account, "j.account_id"))::uuid as account,
                       \(key(.node, Self.claimNode))::text as node, c.jobs, j.created_at
                from counted c
                cross join lateral (select * from flotilla.job j where j.id = c.first limit 1) j
                left join flotilla.member m on m.incarnation = c.incarnation
                left join flotilla.departed d on d.incarnation = c.incarnation
            )
            select state, kind, account, node, sum(jobs)::int8,
                   (extract(epoch from clock_timestamp() - min(created_at)) * 1000)::int8
            from named group by state, kind, account, node
            order by state, kind, account, node limit \(10 * Self.batchLimit)
            """)
        var counts: [JobCount] = []
        for row in rows {
            let (state, kind, account, node, jobs, oldest) = try row.reading(
                String?.self, String?.self, UUID?.self, String?.self, Int64.self, Int64.self)
            var count = JobCount(jobs: Int(jobs), oldest: .milliseconds(max(0, oldest)))
            if let state { count.state = try JobState(stored: state) }
            if let kind { count.kind = try JobKind(job: kind) }
            count.account = account.map { AccountID($0) }
            count.node = node.flatMap { NodeName($0) }
            counts.append(count)
        }
        return counts
    }

    private static let claimNode: PostgresStatement =
        "case when c.incarnation is not null then coalesce(m.name, d.name, 'worker-' || c.slot) end"
}
