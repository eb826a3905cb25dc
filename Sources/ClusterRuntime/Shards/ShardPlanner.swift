import ClusterModel
package import ClusterPorts
package import Coordinator
package import Logging
import ServiceLifecycle
import Synchronization

/// Says who should have which shard, while this node leads: what ``ShardBalancer`` decides.
///
/// It plans every 5 s (``ShardRules/round``), and at once when the view changes, when the node takes the lead, and when
/// shards were given up, pinned or moved by hand. It keeps nothing between two rounds; what fails is tried again a
/// second later.
package final class ShardPlanner: Service {
    /// What was known when it planned last.
    private struct Seen: Equatable {
        var term: Int64
        var view: Int64?
        var news: Int64
    }

    private struct State {
        var seen: Seen?
        var dueAt: ClusterInstant = .zero
        var moves = 0
    }

    private let store: any ShardStore
    private let standing: any NodeStanding
    private let balancer: ShardBalancer
    private let rules: ShardRules
    private let logger: Logger
    private let state = Mutex(State())
    private let work: AsyncStream<Void>
    private let poke: AsyncStream<Void>.Continuation
    /// Rings after an assignment.
    package let assigned = Bell()

    private static let retryAfter: Duration = .seconds(1)

    package init(
        store: any ShardStore, standing: any NodeStanding, rules: ShardRules = .standard, logger: Logger
    ) {
        self.store = store
        self.standing = standing
        self.balancer = ShardBalancer(rules: rules)
        self.rules = rules
        self.logger = logger
        (self.work, self.poke) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Assignments that this node has written.
    package var moves: Int { self.state.withLock { $0.moves } }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    self.poke.yield()
                    for await _ in self.standing.changes() { self.poke.yield() }
                }
                await self.planWhenDue(&group)
                group.cancelAll()
            }
        }
    }

    private func planWhenDue(_ group: inout DiscardingTaskGroup) async {
        var alarm = Alarm()
        for await _ in self.work {
            if Task.isCancelled { return }
            let now = SteadyClock.now()
            guard let leader = self.leader() else {
                // Standing may change without a word from the database.
                alarm.set(now.advanced(by: self.rules.round), in: &group, self.poke)
                continue
            }
            let seen = Seen(
                term: leader.term, view: self.standing.view()?.version, news: self.standing.shardNews())
            let isDue = self.state.withLock { $0.seen != seen || now >= $0.dueAt }
            if isDue {
                let isDone = await self.plan(by: leader)
                let pause = isDone ? self.rules.round : Self.retryAfter
                self.state.withLock { state in
                    state.seen = seen
                    state.dueAt = SteadyClock.now().advanced(by: pause)
                }
            }
            alarm.set(self.state.withLock { $0.dueAt }, in: &group, self.poke)
        }
    }

    /// Also while it is sick: its mount is gone, not the database, and as long as it lives nobody else may plan.
    private func leader() -> LeaderRight? {
        if let leader = self.standing.leaderRight() { return leader }
        guard case .sick(let right, _) = self.standing.standing(), let lead = self.standing.view()?.leader,
            lead.incarnation == right.incarnation
        else { return nil }
        return LeaderRight(right: right, term: lead.term)
    }

    /// Answers whether it could.
    private func plan(by leader: LeaderRight) async -> Bool {
        do {
            // The published view is read again every 5 s; what it does not know yet the statement does.
            guard let view = self.standing.view() else { return true }
            let moves = self.balancer.plan(try await self.store.shards(), view: view)
            guard !moves.isEmpty else { return true }
            let written = Set(try await self.store.assign(moves, by: leader))
            guard !written.isEmpty else { return true }
            self.assigned.ring()
            self.state.withLock { $0.moves += written.count }
            self.tell(moves.filter { written.contains($0.number) })
        } catch {
            self.logger.debug("shards were not assigned", metadata: ["error": "\(error)"])
            return false
        }
        return true
    }

    /// One line for all that moved for the same reason.
    private func tell(_ moves: [ShardMove]) {
        for (reason, group) in Dictionary(grouping: moves, by: \.reason).sorted(by: { $0.key < $1.key }) {
            self.logger.info(
                "assigned shards",
                metadata: ["shards": "\(group.count)", "shard.reason": "\(reason)"])
        }
    }
}
