package import ClusterModel
package import ClusterPorts

/// Forgets old transfers and events, a batch a statement; each statement proves the claim.
///
/// Done again it forgets what has become old since.
package struct RetentionHandler: JobHandler {
    package let kind = WorkKind.retention
    private let store: any RetentionStore
    private let batch: Int

    /// - Parameter batch: 1 to 1,000.
    package init(store: any RetentionStore, batch: Int = 1_000) {
        self.store = store
        self.batch = batch
    }

    package func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        guard let order = RetentionOrder(job.payload) else {
            let days = RetentionOrder.days
            return .failed(
                reason:
                    "the payload must have “transfer_days” or “event_days”, from \(days.lowerBound) to \(days.upperBound)"
            )
        }
        do {
            var forgotten: [String] = []
            if let age = order.transfers {
                let count = try await self.forget("transfers", job, desk) {
                    (right) async throws(StoreError) in
                    try await self.store.forgetTransfers(
                        olderThan: age, limit: self.batch, holding: job.title, by: right)
                }
                forgotten.append("\(count) transfers")
            }
            if let age = order.events {
                let count = try await self.forget("events", job, desk) { (right) async throws(StoreError) in
                    try await self.store.forgetEvents(
                        olderThan: age, limit: self.batch, holding: job.title, by: right)
                }
                forgotten.append("\(count) events")
            }
            return .done(note: "forgot " + forgotten.joined(separator: " and "))
        } catch {
            switch error {
            case .stopped(let reason): return .givenBack(reason: reason)
            case .store(let error):
                return .retry(
                    after: RetryPlan.pause(after: job.attempt, chance: .random(in: 0...1)),
                    reason: error.description)
            }
        }
    }

    private enum Break: Error {
        /// What was forgotten is forgotten; another node goes on.
        case stopped(String)
        case store(StoreError)
    }

    private func forget(
        _ what: String, _ job: ClaimedJob, _ desk: any JobDesk,
        _ step: (NodeRight) async throws(StoreError) -> Int?
    ) async throws(Break) -> Int {
        var count = 0
        while true {
            guard !desk.isDraining, !Task.isCancelled else {
                throw .stopped("the node drains, after \(count) \(what)")
            }
            guard let right = desk.right(of: job.title) else { throw .stopped("the claim was lost") }
            let gone: Int?
            do throws(StoreError) { gone = try await step(right) } catch { throw .store(error) }
            guard let gone else { throw .stopped("the claim was lost") }
            count += gone
            guard gone == self.batch else { return count }
            _ = await desk.note(JobProgress(note: "forgot \(count) \(what)"), of: job.title)
        }
    }
}
