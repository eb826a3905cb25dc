package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// Reading events; ``EventFragments`` has the writing.
extension PostgresStore: EventStore {
    private static let columns: PostgresStatement = """
        e.id, e.at, e.kind, e.account, e.path, e.target, e.size, e.digest, e.operation, e.node, e.jobs
        """

    /// Not prepared: each set of filters is planned for its own values.
    package func events(_ query: EventQuery) async throws(StoreError) -> [EventRecord] {
        try Self.check(batch: query.limit)
        var filters: PostgresStatement = "true"
        if let account = query.account { filters.append(" and e.account = \(account.description)") }
        if let kind = query.kind { filters.append(" and e.kind = \(kind.rawValue)") }
        if let operation = query.operation { filters.append(" and e.operation = \(operation)") }
        if let from = query.from { filters.append(" and e.at >= \(from)") }
        if let before = query.before { filters.append(" and e.at < \(before)") }
        if let after = query.after {
            filters.append(
                query.newestFirst ? " and e.id < \(after.rawValue)" : " and e.id > \(after.rawValue)")
        }
        let order: PostgresStatement = query.newestFirst ? "desc" : "asc"
        let statement: PostgresStatement = """
            select \(Self.columns) from flotilla.event e where \(filters) order by e.id \(order) limit \(query.limit)
            """
        var events: [EventRecord] = []
        for row in try await self.run(statement.unprepared()) { events.append(try Self.event(row)) }
        return events
    }

    package func event(
        _ id: EventID
    ) async throws(StoreError) -> (record: EventRecord, deliveries: [EventDelivery])? {
        let rows = try await self.run(
            """
            with wanted as materialized (
                select e.jobs from flotilla.event e where e.id = \(id.rawValue)
            ), standing (job, state, attempt, due_at, note, ended_at) as materialized (
                select o.job, case o.status when 'd' then 'done' when 'f' then 'failed' else 'cancelled' end, o.attempt,
                       null::timestamptz, o.note, o.ended_at
                from flotilla.outcome o where o.job = any (array(select unnest(jobs) from wanted))
                union all select r.job, 'ready', r.attempt, null, null, null from flotilla.ready r
                where \(Self.isWanted("r"))
                union all select l.job, 'later', l.attempt, l.due_at, null, null from flotilla.later l
                where \(Self.isWanted("l"))
                union all select t.job, 'waiting', 0, null, null, null from flotilla.waiting t
                where \(Self.isWanted("t"))
                union all select c.job, 'claimed', c.attempt, null, null, null from flotilla.claim c
                where \(Self.isWanted("c"))
            )
            select \(Self.columns), u.job, w.name, s.state, s.attempt::int2, s.due_at, s.note, s.ended_at
            from flotilla.event e
            cross join lateral unnest(e.jobs) as u (job)
            left join flotilla.job j on j.id = u.job
            left join flotilla.webhook w on w.id::text = j.payload ->> 'webhook'
            left join standing s on s.job = u.job
            where e.id = \(id.rawValue)
            order by u.job
            """)
        guard let first = rows.first else { return nil }
        var deliveries: [EventDelivery] = []
        for row in rows { deliveries.append(try Self.delivery(row, from: 11)) }
        return (try Self.event(first), deliveries)
    }

    /// None of the tables has an index by job: each is walked once.
    private static func isWanted(_ table: String) -> PostgresStatement {
        "\(unescaped: table).job + 0 = any (array(select unnest(jobs) from wanted))"
    }

    private static func event(_ row: PostgresRow) throws(StoreError) -> EventRecord {
        let number = try row.reading(column: 0, as: Int64.self)
        guard let id = EventID(rawValue: number) else { throw .corrupt("\(number) is no number of an event") }
        var jobs: [JobID] = []
        for job in try row.reading(column: 10, as: [Int64].self) { jobs.append(try JobID(stored: job)) }
        return EventRecord(
            id: id, at: try row.reading(column: 1, as: Date.self),
            kind: try EventKind(stored: row.reading(column: 2, as: String.self)),
            account: try AccountName(stored: row.reading(column: 3, as: String.self)),
            path: try HomePath(stored: row.reading(column: 4, as: [UInt8].self)),
            target: try row.reading(column: 5, as: [UInt8]?.self).map { (bytes) throws(StoreError) in
                try HomePath(stored: bytes)
            },
            size: try row.reading(column: 6, as: Int64?.self) ?? 0,
            digest: try Digest?(stored: row.reading(column: 7, as: [UInt8]?.self)),
            operation: try row.reading(column: 8, as: UUID.self),
            node: try row.reading(column: 9, as: String.self), jobs: jobs)
    }

    private static func delivery(_ row: PostgresRow, from start: Int) throws(StoreError) -> EventDelivery {
        return EventDelivery(
            job: try JobID(stored: row.reading(column: start, as: Int64.self)),
            webhook: try row.reading(column: start + 1, as: String?.self).map { (text) throws(StoreError) in
                try WebhookName(stored: text)
            },
            state: try row.reading(column: start + 2, as: String?.self).map { (text) throws(StoreError) in
                try JobState(stored: text)
            },
            attempts: try row.reading(column: start + 3, as: Int16?.self).map { Int($0) },
            dueAt: try row.reading(column: start + 4, as: Date?.self),
            note: try row.reading(column: start + 5, as: String?.self),
            endedAt: try row.reading(column: start + 6, as: Date?.self))
    }
}
