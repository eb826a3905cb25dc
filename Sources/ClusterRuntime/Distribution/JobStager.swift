import ClusterModel
package import ClusterPorts
package import Logging
import ServiceLifecycle
import Synchronization

/// Makes jobs ready: those that are due, and those that their order key lets through.
///
/// The leader looks for all: when the next one is due, after news, and every 2 s. Every node looks when it has ended a
/// job with an order key, and every 20 s in case that the leader cannot act; every 2 s while nobody leads. So an idle
/// cluster of twenty pays 1.5 statements a second. What fails is tried again by the next look.
package final class JobStager: Service {
    private struct State {
        var isWanted = true
        var news: Int64?
        var dueAt: ClusterInstant = .zero
    }

    private let store: any JobStore
    private let standing: any NodeStanding
    private let ends: Bell
    private let doorbell: any Doorbell
    private let logger: Logger
    private let state = Mutex(State())
    private let work: AsyncStream<Void>
    private let poke: AsyncStream<Void>.Continuation

    /// Of each sort, in one statement.
    private static let batch = 1_000
    private static let lookEvery: Duration = .seconds(2)
    private static let lookAnywayEvery: Duration = .seconds(20)
    /// Between two looks, whatever is due.
    private static let pauseMin: Duration = .milliseconds(10)

    /// - Parameter ends: rings when this node has ended a job with an order key; ``JobRunner/orderedEnds``.
    package init(
        store: any JobStore, standing: any NodeStanding, ends: Bell, doorbell: any Doorbell, logger: Logger
    ) {
        self.store = store
        self.standing = standing
        self.ends = ends
        self.doorbell = doorbell
        self.logger = logger
        (self.work, self.poke) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    for await _ in self.ends.listen() { self.want() }
                }
                group.addTask {
                    self.follow()
                    for await _ in self.standing.changes() { self.follow() }
                }
                await self.lookWhenDue(&group)
                group.cancelAll()
            }
        }
    }

    private func want() {
        self.state.withLock { $0.isWanted = true }
        self.poke.yield()
    }

    /// News concern the leader; others would only look at the same.
    private func follow() {
        let news = self.standing.jobNews()
        let leads = self.standing.leaderRight() != nil
        self.state.withLock { state in
            if state.news != news && leads { state.isWanted = true }
            state.news = news
        }
        self.poke.yield()
    }

    private func lookWhenDue(_ group: inout DiscardingTaskGroup) async {
        var alarm = Alarm()
        for await _ in self.work {
            if Task.isCancelled { return }
            guard let right = self.standing.standing().right else { continue }
            let now = SteadyClock.now()
            let isDue = self.state.withLock { state in
                guard state.isWanted || state.dueAt <= now else { return false }
                state.isWanted = false
                return true
            }
            if isDue {
                let next = await self.stage(by: right)
                self.state.withLock { $0.dueAt = SteadyClock.now().advanced(by: next) }
            }
            alarm.set(self.state.withLock { $0.dueAt }, in: &group, self.poke)
        }
    }

    /// Answers when to look again.
    private func stage(by right: NodeRight) async -> Duration {
        let isMine = self.standing.leaderRight() != nil || self.standing.isLeaderless
        let every = isMine ? Self.lookEvery : Self.lookAnywayEvery
        do {
            let staged = try await self.store.stage(limit: Self.batch, by: right)
            if staged.ready > 0 { self.doorbell.ring() }
            if staged.ready >= Self.batch { return .zero }
            guard isMine, let nextIn = staged.nextIn else { return every }
            return min(every, max(Self.pauseMin, nextIn))
        } catch {
            self.logger.debug("jobs were not staged", metadata: ["error": "\(error)"])
            return Self.lookEvery
        }
    }
}
