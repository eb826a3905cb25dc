package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Firing schedules.
extension PostgresStore: ScheduleFiringStore {
    package func due(
        in shards: [ShardNumber], after: DueCursor?, limit: Int
    ) async throws(StoreError) -> DueSchedules {
        try Self.check(batch: limit)
        let rows = try await self.run(FireStatement.due(in: shards, after: after, limit: limit))
        guard let first = rows.first else { throw .corrupt("the database told no time") }
        var due = DueSchedules(
            now: DatabaseTime(microseconds: try first.reading(column: 0, as: Int64.self)),
            next: try first.reading(column: 1, as: Int64?.self).map { DatabaseTime(microseconds: $0) })
        var cursor: DueCursor?
        for row in rows {
            guard let since = try row.reading(column: 2, as: Int64?.self) else { continue }
            let id = ScheduleID(try row.reading(column: 3, as: UUID.self))
            cursor = DueCursor(due: DatabaseTime(microseconds: since), id: id)
            do throws(StoreError) {
                due.schedules.append(try ScheduleRow.due(row, from: 3))
            } catch {
                due.unreadable.append("schedule \(id): \(error)")
            }
        }
        if rows.count == limit { due.more = cursor }
        return due
    }

    package func fire(
        _ turns: [ScheduleTurn], owning titles: [ShardTitle], by right: NodeRight
    ) async throws(StoreError) -> ScheduleFired {
        guard !turns.isEmpty else { return ScheduleFired(jobs: [:], owned: []) }
        try Self.check(batch: turns.count)
        try Self.check(batch: turns.reduce(0) { $0 + $1.firings.count })
        guard Set(turns.map(\.schedule.id)).count == turns.count,
            Set(titles.map(\.number)).count == titles.count
        else { throw .refused(sqlState: "22000", message: "a schedule or a shard stands twice in one batch") }
        for turn in turns { for job in turn.jobs.prefix(1) { try job.check() } }
        let row = try await self.fired(FireStatement.fire(turns, owning: titles, by: right))
        let (numbers, ids, counts) = try row.reading([Int16].self, [UUID].self, [Int64].self)
        guard ids.count == counts.count else {
            throw .corrupt("\(ids.count) schedules and \(counts.count) numbers")
        }
        var fired = ScheduleFired(jobs: [:], owned: [])
        for number in numbers { fired.owned.insert(try ShardNumber(stored: number)) }
        for (id, count) in zip(ids, counts) { fired.jobs[ScheduleID(id)] = Int(count) }
        if fired.jobs.values.contains(where: { $0 > 0 }) { self.doorbell?.ring() }
        return fired
    }

    /// As with every enqueuing: whoever finds no partition for the next jobs makes some.
    private func fired(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRow {
        do throws(StoreError) {
            return try await self.queueRow(statement)
        } catch {
            guard error.isRefusal(.checkViolation) else { throw error }
            try await self.extendJobs()
            return try await self.queueRow(statement)
        }
    }
}
