package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Ending claims.
extension PostgresStore {
    package func finish(
        _ endings: [JobEnding], by right: NodeRight
    ) async throws(StoreError) -> [JobEndAnswer] {
        guard !endings.isEmpty else { return [] }
        try Self.check(batch: endings.count)
        // By job, as everybody does who ends claims.
        let sorted = endings.sorted { $0.title.job < $1.title.job }
        guard zip(sorted, sorted.dropFirst()).allSatisfy({ $0.title.job != $1.title.job }) else {
            throw .refused(sqlState: "22000", message: "a job stands twice in one batch of endings")
        }
        let row = try await self.queueRow(FinishJobsStatement.finish(sorted, by: right))
        let (jobs, results, keys) = (
            try row.reading(column: 0, as: [Int64].self), try row.reading(column: 1, as: [String].self),
            try row.reading(column: 2, as: [String].self)
        )
        guard jobs.count == results.count else { throw .corrupt("jobs were ended without their results") }
        var found: [Int64: FinishJobsStatement.Verdict] = [:]
        found.reserveCapacity(jobs.count)
        for (job, result) in zip(jobs, results) {
            found[job] = try FinishJobsStatement.Verdict(stored: result)
        }
        // The next one of the key; a failure changes nothing about what was ended, and whoever stages next does it.
        if !keys.isEmpty { _ = try? await self.stageKeys(keys, by: right) }
        return endings.map { ending in
            guard let result = found[ending.title.job.rawValue] else { return .fenced }
            if case .retry = ending.end, result == .failed { return .acceptedAsFailed }
            return .accepted
        }
    }
}
