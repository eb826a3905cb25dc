package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Making jobs ready: those that are due, and those whose turn it is.
extension PostgresStore {
    package func stage(limit: Int, by right: NodeRight) async throws(StoreError) -> StagedJobs {
        let row = try await self.queueRow(
            StageStatement.all(limit: min(max(limit, 1), Self.batchLimit), by: right))
        let (ready, _, next, hasMore) = try row.reading(Int64.self, Int64?.self, Int64?.self, Bool.self)
        return StagedJobs(
            ready: Int(ready), nextIn: hasMore ? .zero : next.map { .microseconds(max(0, $0)) })
    }

    /// Lets the next job of each of these keys through, as staging would in a while.
    ///
    /// Answers how many are ready.
    func stageKeys(_ keys: [String], by right: NodeRight) async throws(StoreError) -> Int {
        let row = try await self.queueRow(StageStatement.keys(keys, by: right))
        return Int(try row.reading(column: 0, as: Int64.self))
    }
}
