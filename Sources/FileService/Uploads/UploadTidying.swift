package import ClusterModel
package import ClusterPorts
package import Logging

/// Ends uploads that nobody comes back for, and forgets those that are over; their files go first.
///
/// Standing work of one shard. Two at once do no harm: each statement asks the rows, and proves the member.
package struct UploadTidying: StandingWork {
    package let name = "uploads"
    private let upkeep: any UploadUpkeep
    private let store: any UploadStore
    private let vault: any StagingArea
    private let logger: Logger
    private static let shard = ShardNumber.all[1]
    private static let rest: Duration = .seconds(30)
    private static let atOnce = 100

    package init(upkeep: any UploadUpkeep, store: any UploadStore, vault: any StagingArea, logger: Logger) {
        self.upkeep = upkeep
        self.store = store
        self.vault = vault
        self.logger = logger
    }

    package func calls() -> AsyncStream<Void> { AsyncStream { $0.finish() } }

    package func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        guard let title = shards.first(where: { $0.number == Self.shard }), desk.holds(title) else {
            return StandingRound(rest: Self.rest)
        }
        do {
            let done = try await self.tidy(by: right)
            return StandingRound(
                done: [Self.shard: Double(done)], rest: done < Self.atOnce ? Self.rest : .zero)
        } catch {
            if !Task.isCancelled {
                self.logger.warning("uploads could not be tidied", metadata: ["reason": "\(error)"])
            }
            return StandingRound(rest: Self.rest)
        }
    }

    /// Answers how many rows it changed.
    package func tidy(by right: NodeRight) async throws -> Int {
        let aborted = try await self.upkeep.abortExpired(limit: Self.atOnce, by: right)
        for upload in aborted {
            for segment in try await self.store.upload(upload)?.1 ?? [] {
                try await self.vault.discard(
                    StagedName(incarnation: segment.incarnation, file: segment.file))
            }
        }
        let settled = try await self.upkeep.settleDecided(limit: Self.atOnce, by: right)
        let ended = try await self.upkeep.expiredEnded(limit: Self.atOnce)
        // Whatever was left behind goes before its name is forgotten.
        for file in ended.flatMap(\.files) { try await self.vault.discard(file) }
        let forgotten = try await self.upkeep.forget(ended.map(\.upload), by: right)
        return aborted.count + settled + forgotten
    }
}
