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
        let records = byOperation.map { item in
            var record = item.record
            record.id = item.operation.id
            return record
        }
        let rows = try await self.logging(records) { (records, expecting) throws(StoreError) in
            try await self.makingJobs(Self.finish(byOperation, records, expecting))
        }
        var operations: Set<UUID> = []
        var hasJobs = false
        for row in rows {
            operations.insert(try row.reading(column: 0, as: UUID.self))
            hasJobs = try row.reading(column: 1, as: Bool.self) || hasJobs
        }
        if hasJobs { self.doorbell?.ring() }
        return operations
    }

    /// What is locked with others, or deleted by them, comes along as a copy of its whole row: so those are narrow.
    private static func finish(
        _ finished: [FinishedOperation], _ records: [TransferRecord], _ expecting: TransferRow.Expectation
    ) -> PostgresStatement {
        let names = finished.flatMap { item in item.names.map { (item, $0) } }
        let inGone: PostgresStatement = "r.id in (select operation from gone)"
        let failed = records.filter { $0.status != .completed }.map(\.id)
        return """
            with asked as materialized (
                select operation, account_id, sha256(path) as path_key from unnest(
                    \(names.map { $0.0.operation.id }), \(names.map { $0.0.operation.account.rawValue }),
                    \(names.map { Data($0.1.bytes) })
                ) as a (operation, account_id, path)
            ), locked as materialized (
                select n.account_id, n.path_key, n.operation
                from asked a
                join flotilla.name n on n.account_id = a.account_id and n.path_key = a.path_key
                where n.operation = a.operation and n.state = 'decided'
                order by n.account_id, n.path_key
                for update of n
            ), gone as (
                delete from flotilla.name n using locked l
                where n.account_id = l.account_id and n.path_key = l.path_key and n.operation = l.operation
                  and n.state = 'decided'
                returning \(EventFragments.ofName), n.quota_number, n.cost_bytes, n.cost_files
            ), \(QuotaFragments.refunded(failed)), logged as (
                \(TransferRow.insertion(of: records, expecting: expecting, where: inGone))
            )
            select operation, \(EventFragments.tell(of: records, from: "gone")) from gone group by operation
            """
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
