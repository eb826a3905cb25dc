package import ClusterModel
package import ClusterPorts
package import Logging

/// Counts the homes of accounts with a quota: the first time, after large removals, from time to time, and when ordered.
///
/// Standing work; each account belongs to a shard. Decisions go on meanwhile (docs/QUOTAS.md says why the count is right).
package struct HomeCounting: StandingWork {
    package let name = "quotas"
    private let counts: any QuotaCounting
    private let vault: any HomeTally
    private let rhythm: CountRhythm
    private let logger: Logger
    /// How long an operator's order waits at most before it is seen.
    private static let rest: Duration = .seconds(3)
    private static let atOnce = 10
    /// How often a walk is begun again because a folder moved meanwhile, before others get their turn.
    private static let walks = 3

    package init(
        counts: any QuotaCounting, vault: any HomeTally, rhythm: CountRhythm = CountRhythm(),
        logger: Logger
    ) {
        self.counts = counts
        self.vault = vault
        self.rhythm = rhythm
        self.logger = logger
    }

    package func calls() -> AsyncStream<Void> { AsyncStream { $0.finish() } }

    package func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        var titles: [ShardNumber: ShardTitle] = [:]
        for title in shards { titles[title.number] = title }
        var done: [ShardNumber: Double] = [:]
        let due: [DueCount]
        do {
            due = try await self.counts.dueCounts(in: Array(titles.keys), limit: Self.atOnce)
        } catch {
            self.complain(error)
            return StandingRound(rest: Self.rest)
        }
        for item in due {
            guard !Task.isCancelled, let title = titles[item.shard], desk.holds(title) else { continue }
            done[item.shard, default: 0] += 1
            do {
                if try await self.count(item, holding: title, by: right) == .fenced { desk.lost(title) }
            } catch {
                self.complain(error)
            }
        }
        return StandingRound(done: done, rest: Self.rest)
    }

    private func complain(_ error: any Error) {
        guard !Task.isCancelled else { return }
        self.logger.warning("a home could not be counted", metadata: ["reason": "\(error)"])
    }

    /// One home; nil when it was not its time.
    @discardableResult
    package func count(
        _ due: DueCount, holding title: ShardTitle, by right: NodeRight
    ) async throws -> CountAnswer? {
        var answer: CountAnswer?
        for _ in 0..<Self.walks {
            guard let mark = try await self.counts.beginCount(of: due.account) else { return nil }
            guard let found = try await self.vault.tally(below: .home, in: due.name, limit: .max) else {
                return nil
            }
            answer = try await self.counts.endCount(
                found, since: mark, again: self.rhythm, holding: title, by: right)
            guard answer == .void else { break }
        }
        if case .counted(let use, let doubt) = answer {
            self.logger.debug(
                "a home was counted",
                metadata: [
                    "account.name": "\(due.name)", "home.bytes": "\(use.bytes)", "home.files": "\(use.files)",
                    "home.doubt": "\(doubt.bytes)",
                ])
        }
        return answer
    }
}
