import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// The statements that show jobs, and how their rows are read.
///
/// What has not ended is looked through from end to end, since no table of it has an index by job; what ended is read
/// in the order of the page.
enum JobListing {
    /// Twenty-seven columns a job.
    ///
    /// What ended knows the slot of its last holder: its name is that of who had the slot at that time.
    static func page(_ query: JobQuery) -> PostgresStatement {
        let states = query.states.isEmpty ? Set(JobState.allCases) : query.states
        let parts = JobState.allCases.filter { states.contains($0) }.map { Self.part($0, query) }
        var found: PostgresStatement = ""
        for (index, part) in parts.enumerated() {
            found.append(index == 0 ? "(" : " union all (")
            found.append(part)
            found.append(")")
        }
        return Self.records(from: found, order: Self.order(query), limit: query.limit)
    }

    static func one(_ id: JobID) -> PostgresStatement {
        var found: PostgresStatement = "select * from ("
        for (index, state) in JobState.allCases.enumerated() {
            if index > 0 { found.append(" union all ") }
            found.append(Self.rows(state))
            found.append(" where s.job = \(id.rawValue)")
        }
        found.append(") s")
        return Self.records(from: found, order: "asc", limit: 1)
    }

    private static func order(_ query: JobQuery) -> PostgresStatement { query.newestFirst ? "desc" : "asc" }

    private static func part(_ state: JobState, _ query: JobQuery) -> PostgresStatement {
        var part = Self.rows(state)
        var filters: PostgresStatement = "true"
        if let kind = query.kind { filters.append(" and j.kind = \(kind.description)") }
        if let account = query.account { filters.append(" and j.account_id = \(account.rawValue)") }
        if let key = query.orderKey { filters.append(" and j.order_key = \(key)") }
        if let submitter = query.submitter { filters.append(" and j.submitter = \(submitter)") }
        if let from = query.createdFrom { filters.append(" and j.created_at >= \(from)") }
        if let before = query.createdBefore { filters.append(" and j.created_at < \(before)") }
        if filters.sql != "true" { part.append(" join flotilla.job j on j.id = s.job") }
        if query.node != nil { part.append(" \(Self.holder)") }
        part.append(" where \(filters)")
        if let node = query.node {
            part.append(
                state == .claimed
                    ? " and coalesce(m.name, d.name, 'worker-' || s.slot) = \(node.description)"
                    : " and false")
        }
        if let after = query.after {
            part.append(
                query.newestFirst ? " and s.job < \(after.rawValue)" : " and s.job > \(after.rawValue)")
        }
        part.append(" order by s.job \(Self.order(query)) limit \(query.limit)")
        return part
    }

    private static let holder: PostgresStatement = """
        left join flotilla.member m on m.incarnation = s.incarnation
        left join flotilla.departed d on d.incarnation = s.incarnation
        """

    /// Of every state the same eleven columns, as `s`.
    private static func rows(_ state: JobState) -> PostgresStatement {
        let table: PostgresStatement =
            switch state {
            case .ready: "select job, attempt, \(Self.unheld) from flotilla.ready"
            case .later:
                """
                select job, attempt, due_at, null::int8 as ticket, null::int8 as epoch, null::int2 as slot,
                       null::int8 as incarnation, null::timestamptz as claimed_at, null::timestamptz as ended_at,
                       null::text as note
                from flotilla.later
                """
            case .waiting:
                """
                select job, 0::int2 as attempt, due_at, ticket, null::int8 as epoch, null::int2 as slot,
                       null::int8 as incarnation, null::timestamptz as claimed_at, null::timestamptz as ended_at,
                       null::text as note
                from flotilla.waiting
                """
            case .claimed:
                """
                select job, attempt, null::timestamptz as due_at, null::int8 as ticket, epoch, slot, incarnation,
                       claimed_at, null::timestamptz as ended_at, null::text as note
                from flotilla.claim
                """
            case .done: Self.ended("'d'")
            case .failed: Self.ended("'f'")
            case .cancelled: Self.ended("'c'")
            }
        return "select \(state.rawValue)::text as state, s.* from (\(table)) s"
    }

    private static let unheld: PostgresStatement = """
        null::timestamptz as due_at, null::int8 as ticket, null::int8 as epoch, null::int2 as slot,
        null::int8 as incarnation, null::timestamptz as claimed_at, null::timestamptz as ended_at, null::text as note
        """

    private static func ended(_ status: PostgresStatement) -> PostgresStatement {
        """
        select job, attempt, null::timestamptz as due_at, null::int8 as ticket, epoch, slot,
               null::int8 as incarnation, null::timestamptz as claimed_at, ended_at, note
        from flotilla.outcome where status = \(status)
        """
    }

    private static func records(
        from found: PostgresStatement, order: PostgresStatement, limit: Int
    ) -> PostgresStatement {
        """
        with found as materialized (
            select * from (\(found)) f order by job \(order) limit \(limit)
        )
        select s.job, s.state, s.attempt, s.due_at, s.ticket - k.head, s.epoch, s.slot,
               case when s.incarnation is not null then coalesce(m.name, d.name, 'worker-' || s.slot)
                    else h.name end,
               s.claimed_at, s.ended_at, s.note, j.kind, j.account_id, a.name, j.priority, j.bytes, j.max_attempts,
               j.deadline_ms, j.order_key, j.requires, j.submitter, j.created_at, j.payload,
               p.fraction::float8, p.note, p.checkpoint, p.job is not null
        from found s
        cross join lateral (select * from flotilla.job j where j.id = s.job limit 1) j
        left join flotilla.account a on a.id = j.account_id
        left join lateral (select * from flotilla.job_progress p where p.job = s.job limit 1) p on true
        left join flotilla.job_key k on k.order_key = j.order_key
        \(Self.holder)
        left join lateral (
            select coalesce((
                select v.name from flotilla.view_history v
                where v.slot = s.slot and v.at <= s.ended_at and v.name is not null
                order by v.view_version desc limit 1), 'worker-' || s.slot) as name
            where s.incarnation is null and s.slot is not null
        ) h on true
        order by s.job \(order)
        """
    }

    static func record(_ row: PostgresRow) throws(StoreError) -> JobRecord {
        var spec = JobSpec(
            kind: try JobKind(job: row.reading(column: 11, as: String.self)),
            account: try row.reading(column: 12, as: UUID?.self).map { AccountID($0) },
            payload: try row.reading(column: 22, as: PostgresJSON.self).text,
            submitter: try row.reading(column: 20, as: String.self))
        spec.priority = Int(try row.reading(column: 14, as: Int16.self))
        spec.bytes = try row.reading(column: 15, as: Int64.self)
        spec.maxAttempts = Int(try row.reading(column: 16, as: Int16.self))
        spec.deadline = try row.reading(column: 17, as: Int64?.self).map { .milliseconds($0) }
        spec.orderKey = try row.reading(column: 18, as: String?.self)
        spec.requires = try row.reading(column: 19, as: [String].self)
        var record = JobRecord(
            id: try JobID(stored: row.reading(column: 0, as: Int64.self)), spec: spec,
            accountName: try row.reading(column: 13, as: String?.self).flatMap { AccountName($0) },
            state: try JobState(stored: row.reading(column: 1, as: String.self)),
            attempt: Int(try row.reading(column: 2, as: Int16.self)),
            createdAt: try row.reading(column: 21, as: Date.self))
        record.dueAt = try row.reading(column: 3, as: Date?.self)
        record.before = try row.reading(column: 4, as: Int64?.self).map { max(0, Int($0)) }
        record.epoch = try row.reading(column: 5, as: Int64?.self).flatMap { Epoch(rawValue: $0) }
        record.slot = try row.reading(column: 6, as: Int16?.self).map { Slot($0) }
        record.node = try row.reading(column: 7, as: String?.self).flatMap { NodeName($0) }
        record.claimedAt = try row.reading(column: 8, as: Date?.self)
        record.endedAt = try row.reading(column: 9, as: Date?.self)
        record.note = try row.reading(column: 10, as: String?.self)
        if try row.reading(column: 26, as: Bool.self) {
            record.progress = JobProgress(
                fraction: try row.reading(column: 23, as: Double?.self),
                note: try row.reading(column: 24, as: String?.self),
                checkpoint: try row.reading(column: 25, as: PostgresJSON?.self)?.text)
        }
        return record
    }
}
