package import ClusterPorts
import PostgresDriver

/// Ready rows and claims come and go, and leave dead rows that vacuum may not remove while somebody's report runs.
extension PostgresStore: HotTables {
    /// Room for dead rows from which on it is worth its lock: some milliseconds, once for so many jobs.
    private static let renewedFrom: Int64 = 2_000
    /// Living rows that are written anew within a few milliseconds; a table with more is left to vacuum.
    private static let renewedMost: Int32 = 2_000

    package func renewHotTables() async throws(StoreError) -> HotTablesLook {
        var renewed = 0
        // A statement each: none holds the lock of one table while it waits for the other.
        for table in ["ready", "claim"] {
            let row = try await self.queueRow(
                "select flotilla.renew(\(table), \(Self.renewedFrom), \(Self.renewedMost))")
            if try row.reading(column: 0, as: Bool.self) { renewed += 1 }
        }
        // One of its own too: who has the table open cannot write it anew.
        let row = try await self.queueRow(
            """
            select pg_stat_get_tuples_deleted('flotilla.ready'::regclass)
                       + pg_stat_get_tuples_deleted('flotilla.claim'::regclass),
                   exists (select from flotilla.ready)
            """)
        let (deletions, hasBacklog) = try row.reading(Int64.self, Bool.self)
        return HotTablesLook(renewed: renewed, deletions: deletions, hasBacklog: hasBacklog)
    }
}
