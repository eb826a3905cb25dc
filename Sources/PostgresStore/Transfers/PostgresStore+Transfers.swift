package import ClusterModel
package import ClusterPorts
import PostgresDriver

package import struct Foundation.UUID

/// The transfer log.
extension PostgresStore {
    /// Refused as a whole when the node lives no more: what it had running has been ended by others.
    package func record(_ records: [TransferRecord], by right: NodeRight) async throws(StoreError) {
        guard !records.isEmpty else { return }
        let newest = Dictionary(records.map { ($0.id, $0) }) { _, later in later }
        try Self.check(batch: newest.count)
        let row = try await self.logging(Array(newest.values)) { (records, expecting) throws(StoreError) in
            try await self.one(
                """
                with \(Fragments.me(right)), logged as (
                    \(TransferRow.insertion(of: records, expecting: expecting, where: "exists (select from me)"))
                )
                select exists (select from me)
                """)
        }
        guard try row.reading(Bool.self) else { throw .fenced }
    }

    /// Runs a statement that inserts records, once more if it was refused because one of them is there against what was
    /// expected.
    func logging<Answer>(
        _ records: [TransferRecord],
        _ statement: ([TransferRecord], TransferRow.Expectation) async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        let expecting = TransferRow.expectation(records)
        do throws(StoreError) {
            return try await statement(records, expecting)
        } catch {
            guard expecting == .none, error.isRefusal(.uniqueViolation) else { throw error }
            return try await statement(records, .some)
        }
    }

    /// Only of an incarnation whose death is recorded.
    package func endRunning(of departed: Incarnation, reason: String) async throws(StoreError) -> Int {
        let rows = try await self.run(
            """
            update flotilla.transfer set status = 'failed', ended_at = clock_timestamp(), reason = \(reason)
            where status = 'running' and incarnation = \(departed.rawValue)
              and exists (select from flotilla.departed where incarnation = \(departed.rawValue))
            """)
        return rows.affectedRows
    }

    package func unlist(_ ids: [UUID]) async throws(StoreError) {
        guard !ids.isEmpty else { return }
        try Self.check(batch: ids.count)
        _ = try await self.run(
            "delete from flotilla.transfer where id = any (\(ids)) and status = 'running'")
    }

    package func transfer(id: UUID) async throws(StoreError) -> TransferRecord? {
        let rows = try await self.run("select \(TransferRow.columns) from flotilla.transfer where id = \(id)")
        guard let row = rows.first else { return nil }
        return try TransferRow.record(row)
    }

    package func transfers(_ query: TransferQuery) async throws(StoreError) -> [TransferRecord] {
        let rows = try await self.run(TransferListing.statement(query))
        var records: [TransferRecord] = []
        for row in rows { records.append(try TransferRow.record(row)) }
        return records
    }
}
