import ClusterModel
package import ClusterPorts
import Coordinator
package import Logging
import ServiceLifecycle

/// Gives back what the dead had claimed, at once; and, while this node leads, takes claims away that are overdue, and
/// lets go of what ended long ago.
///
/// Level-triggered, as ``Sweeper`` is for leases: it works when somebody departed, and in any case every 10 s on the
/// leader and every minute on the others. What fails is tried again by the next round. Deadlines are looked at every 250 ms while some are watched, every 2 s otherwise, so
/// a deadline is kept to 2 s and a round.
package final class JobSweeper: Service {
    package struct Settings: Sendable, Equatable {
        /// What has ended is kept for so long.
        package var kept: Duration = .seconds(7 * 86_400)
        package var sweepEvery: Duration = .seconds(10)
        package var tidyEvery: Duration = .seconds(60)
        /// While jobs come or go (``RenewalPace``).
        package var renewEvery: Duration = .seconds(1)
        package var lookEvery: Duration = .milliseconds(250)
        package var lookIdleEvery: Duration = .seconds(2)

        package init() {}
    }

    private let store: any JobStore
    private let hot: (any HotTables)?
    private let standing: any NodeStanding
    private let doorbell: any Doorbell
    private let settings: Settings
    private let logger: Logger

    private static let batch = 1_000
    /// Statements of one tidying; the rest waits for the next.
    private static let tidyBatches = 20
    /// Partitions that one tidying drops: whoever uses the table waits for each of them.
    private static let tidyPartitions = 2

    /// - Parameter hot: nil where nothing keeps old rows alive.
    package init(
        store: any JobStore, hot: (any HotTables)? = nil, standing: any NodeStanding, doorbell: any Doorbell,
        settings: Settings = Settings(), logger: Logger
    ) {
        self.store = store
        self.hot = hot
        self.standing = standing
        self.doorbell = doorbell
        self.settings = settings
        self.logger = logger
    }

    package func run() async throws {
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    for await _ in self.standing.changes() where self.standing.sweepDue() { signal.yield() }
                }
                group.addTask {
                    // The leader for all of them; the others seldom, in case that it cannot.
                    var round = 0
                    await self.every(self.settings.sweepEvery) {
                        if round % 6 == 0 || self.standing.leaderRight() != nil { signal.yield() }
                        round += 1
                    }
                }
                group.addTask {
                    for await _ in signals { await self.sweepClaims() }
                }
                group.addTask { await self.watchDeadlines() }
                group.addTask {
                    await self.every(self.settings.tidyEvery) {
                        if let leader = self.standing.leaderRight() { await self.tidy(by: leader) }
                    }
                }
                group.addTask { await self.renewTables() }
            }
        }
    }

    private func every(_ pause: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            await body()
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    /// In batches, until nothing is left that nobody else has in hand.
    func sweepClaims() async {
        while !Task.isCancelled, let right = self.standing.standing().right {
            let swept: SweptClaims
            do {
                swept = try await self.store.sweepClaims(limit: Self.batch, by: right)
            } catch {
                self.logger.debug("claims of the dead were not swept", metadata: ["error": "\(error)"])
                return
            }
            guard swept.ready + swept.failed > 0 else { return }
            self.logger.notice(
                "swept claims of the dead",
                metadata: ["jobs.ready": "\(swept.ready)", "jobs.failed": "\(swept.failed)"])
            if swept.ready > 0 { self.doorbell.ring() }
            if swept.ready + swept.failed < Self.batch { return }
        }
    }

    /// The leader, as ``RenewalPace`` says; a new leader begins with a look.
    private func renewTables() async {
        guard let hot = self.hot else { return }
        var pace = RenewalPace()
        await self.every(self.settings.renewEvery) {
            guard self.standing.leaderRight() != nil else {
                pace = RenewalPace()
                return
            }
            let news = self.standing.jobNews()
            guard pace.isDue(news: news, at: SteadyClock.now()) else { return }
            do {
                let look = try await hot.renewHotTables()
                pace.looked(
                    news: news, deletions: look.deletions, hasBacklog: look.hasBacklog, at: SteadyClock.now())
                guard look.renewed > 0 else { return }
                self.logger.debug("wrote hot tables anew", metadata: ["tables": "\(look.renewed)"])
            } catch {
                self.logger.debug("hot tables were not written anew", metadata: ["error": "\(error)"])
            }
        }
    }

    private func watchDeadlines() async {
        var watch = OverdueClaims()
        while !Task.isCancelled {
            if let leader = self.standing.leaderRight() {
                await self.look(&watch, by: leader.right)
            } else if watch.count > 0 {
                watch = OverdueClaims()
            }
            let pause = watch.count > 0 ? self.settings.lookEvery : self.settings.lookIdleEvery
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    private func look(_ watch: inout OverdueClaims, by right: NodeRight) async {
        do {
            let page = try await self.store.deadlines(after: watch.after, limit: OverdueClaims.pageLimit)
            let claims = page.map { OverdueClaim(title: $0.title, deadline: $0.deadline) }
            let overdue = watch.looked(at: claims, now: SteadyClock.now())
            guard !overdue.isEmpty else { return }
            let taken = try await self.store.sweepOverdue(overdue, by: right)
            for title in taken {
                self.logger.warning(
                    "a claim was overdue and was taken away",
                    metadata: ["job.id": "\(title.job)", "job.epoch": "\(title.epoch)"])
            }
            if !taken.isEmpty { self.doorbell.ring() }
        } catch {
            self.logger.debug("deadlines of jobs were not looked at", metadata: ["error": "\(error)"])
        }
    }

    private func tidy(by leader: LeaderRight) async {
        var rows = 0
        var partitions = 0
        do {
            for batch in 0..<Self.tidyBatches {
                let tidied = try await self.store.tidy(
                    kept: self.settings.kept, limit: Self.batch,
                    partitions: batch == 0 ? Self.tidyPartitions : 0,
                    by: leader)
                rows += tidied.rows
                partitions += tidied.partitions
                if tidied.rows < Self.batch || Task.isCancelled { break }
            }
        } catch {
            self.logger.debug("old jobs were not tidied away", metadata: ["error": "\(error)"])
        }
        guard rows + partitions > 0 else { return }
        self.logger.info(
            "let go of jobs that ended long ago",
            metadata: ["jobs": "\(rows)", "partitions": "\(partitions)"])
    }
}
