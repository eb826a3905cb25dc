package import ClusterModel
package import ClusterPorts
package import Logging
import Synchronization

/// Counts the homes of accounts with a quota: the first time, after large removals, from time to time, and when ordered.
///
/// Standing work; each account belongs to a shard. Decisions go on meanwhile (docs/QUOTAS.md says why the count is right).
package struct HomeCounting: StandingWork {
    package let name = "quotas"
    private let counts: any QuotaCounting
    private let vault: any HomeTally
    private let rhythm: CountRhythm
    private let logger: Logger
    /// Homes that could not be counted, or changed all the while, and until when others go before them.
    private let postponed = Postponed()
    private static let pauseAfterFailure: Duration = .seconds(600)
    private static let pauseAfterChange: Duration = .seconds(60)
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
            // Those that are postponed stand in front: enough behind them are asked for.
            let postponed = self.postponed.now()
            due = try await self.counts.dueCounts(
                in: Array(titles.keys), limit: Self.atOnce + postponed.count
            ).filter { !postponed.contains($0.account) }
        } catch {
            self.complain(error)
            return StandingRound(rest: Self.rest)
        }
        for item in due {
            guard !Task.isCancelled, let title = titles[item.shard], desk.holds(title) else { continue }
            done[item.shard, default: 0] += 1
            do {
                switch try await self.count(item, holding: title, by: right) {
                case .fenced: desk.lost(title)
                case .void: self.postponed.add(item.account, for: Self.pauseAfterChange)
                case .counted, nil: break
                }
            } catch {
                self.complain(error)
                self.postponed.add(item.account, for: Self.pauseAfterFailure)
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

/// Accounts whose turn comes later.
private final class Postponed: Sendable {
    private let until = Mutex<[AccountID: ContinuousClock.Instant]>([:])
    /// More are not kept: those come again at once.
    private static let limit = 1_000

    func now() -> Set<AccountID> {
        let now = ContinuousClock.now
        return self.until.withLock { until in
            until = until.filter { $0.value > now }
            return Set(until.keys)
        }
    }

    func add(_ account: AccountID, for pause: Duration) {
        self.until.withLock { if $0.count < Self.limit { $0[account] = .now + pause } }
    }
}
