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
        var found: [Int64: FinishJobsStatement.Verdict] = [:]
        found.reserveCapacity(sorted.count)
        var keys: [String] = []
        var open = sorted
        for _ in 0..<Self.finishAttempts where !open.isEmpty {
            let row = try await self.ended(open, by: right, after: found.count)
            let (jobs, results) = (
                try row.reading(column: 0, as: [Int64].self), try row.reading(column: 1, as: [String].self)
            )
            let (waiting, held) = (
                try row.reading(column: 2, as: [String].self), try row.reading(column: 3, as: Int64.self)
            )
            guard jobs.count == results.count else { throw .corrupt("jobs were ended without their results") }
            for (job, result) in zip(jobs, results) {
                found[job] = try FinishJobsStatement.Verdict(stored: result)
            }
            keys += waiting
            // Claims that are there and did not end have moved in the same moment.
            open = held > jobs.count ? open.filter { found[$0.title.job.rawValue] == nil } : []
        }
        guard open.isEmpty else {
            throw .mayHaveRun("some claims were changed again and again while they ended")
        }
        // The next one of the key; a failure changes nothing about what was ended, and whoever stages next does it.
        if !keys.isEmpty { _ = try? await self.stageKeys(keys, by: right) }
        return endings.map { ending in
            guard let result = found[ending.title.job.rawValue] else { return .fenced }
            if case .retry = ending.end, result == .failed { return .acceptedAsFailed }
            return .accepted
        }
    }

    /// A claim moves when it is settled under a limit, of its kind and of its account.
    private static let finishAttempts = 4

    /// What an earlier statement ended stands, whatever becomes of this one.
    private func ended(
        _ endings: [JobEnding], by right: NodeRight, after before: Int
    ) async throws(StoreError) -> PostgresRow {
        do throws(StoreError) {
            return try await self.queueRow(FinishJobsStatement.finish(endings, by: right))
        } catch {
            guard before > 0 else { throw error }
            throw .mayHaveRun("a part of the batch was ended, then: \(error)")
        }
    }
}
