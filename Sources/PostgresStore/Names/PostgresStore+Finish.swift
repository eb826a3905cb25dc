import ClusterModel
package import ClusterPorts
import PostgresDriver

package import struct Foundation.Data
package import struct Foundation.UUID

extension PostgresStore {
    /// Needs no right: what was decided and carried out stays so, whoever says it.
    ///
    /// Locks the rows in the order of their keys, so of several finishers of one operation the first gets all of its
    /// rows, and its record says whether the change makes an event, and whether its cost is given back.
    package func finish(_ finished: [FinishedOperation]) async throws(StoreError) -> Set<UUID> {
        guard !finished.isEmpty else { return [] }
        let byOperation = Self.merged(finished)
        try Self.check(batch: byOperation.count)
        let names = byOperation.flatMap { item in item.names.map { (item, $0) } }
        let records = byOperation.map { item in
            var record = item.record
            record.id = item.operation.id
            return record
        }
        let statement: PostgresStatement = """
            with asked as materialized (
                select * from unnest(
                    \(names.map { $0.0.operation.id }), \(names.map { $0.0.operation.account.rawValue }),
                    \(names.map { Data($0.1.bytes) }), \(names.map { $0.0.record.status == .completed }),
                    \(names.map { $0.0.record.path.description }), \(names.map { $0.0.record.target?.description })
                ) as a (operation, account_id, path, completed, shown, shown_target)
            ), locked as materialized (
                select n.account_id, n.path_key, n.operation, a.completed, a.shown, a.shown_target
                from asked a
                join flotilla.name n on n.account_id = a.account_id and n.path_key = sha256(a.path)
                where n.operation = a.operation and n.state = 'decided'
                order by n.account_id, n.path_key
                for update of n
            ), gone as (
                delete from flotilla.name n using locked l
                where n.account_id = l.account_id and n.path_key = l.path_key and n.operation = l.operation
                  and n.state = 'decided'
                returning \(EventFragments.ofName), l.completed, l.shown, l.shown_target, n.quota_number,
                          n.cost_bytes, n.cost_files
            ), \(QuotaFragments.refunded), logged as (
                \(TransferRow.upsert(records, where: "r.id in (select operation from gone)"))
            )
            select operation, \(EventFragments.tell(from: "gone")) from gone group by operation
            """
        let rows = try await self.makingJobs(statement)
        var operations: Set<UUID> = []
        var hasJobs = false
        for row in rows {
            operations.insert(try row.reading(column: 0, as: UUID.self))
            hasJobs = try row.reading(column: 1, as: Bool.self) || hasJobs
        }
        if hasJobs { self.doorbell?.ring() }
        return operations
    }

    /// Jobs that find no partition must not keep a change from its end: without a leader for long they run out, and then
    /// whoever needs them makes some.
    private func makingJobs(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRows {
        do throws(StoreError) {
            return try await self.run(statement)
        } catch {
            guard error.isRefusal(.checkViolation) else { throw error }
            try await self.extendJobs()
            return try await self.run(statement)
        }
    }

    /// One entry an operation, with the names of all its entries: a record can be written once in a
    /// statement.
    private static func merged(_ finished: [FinishedOperation]) -> [FinishedOperation] {
        var places: [UUID: Int] = [:]
        var merged: [FinishedOperation] = []
        for item in finished {
            if let place = places[item.operation.id] {
                merged[place].names += item.names
                merged[place].record = item.record
            } else {
                places[item.operation.id] = merged.count
                merged.append(item)
            }
        }
        return merged
    }
}
