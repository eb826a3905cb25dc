import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Coordinator
import Logging
import PostgresStore
import ServiceLifecycle
import Synchronization

/// What has to do with shards in one node, around a standing that the test sets or its heartbeats tell.
final class ShardNode: Sendable {
    let member: JoinedNode
    let store: PostgresStore
    let standing: FixedStanding
    let planner: ShardPlanner
    let runner: ShardRunner
    /// False: what its heartbeats say does not reach it.
    let hears = Atomic(true)
    /// True: it is sick, whatever its heartbeats say; it hears them.
    let isSick = Atomic(false)
    /// The planner starts first and stops last, as in a node.
    var services: [any Service] { [self.planner, self.runner] }
    var right: NodeRight { self.member.right }

    init(
        _ member: JoinedNode, _ store: PostgresStore, through shards: (any ShardStore)? = nil,
        works: [any StandingWork], settings: ShardRunner.Settings = ShardRunner.Settings()
    ) {
        self.member = member
        self.store = store
        self.standing = FixedStanding(member.right)
        self.planner = ShardPlanner(
            store: shards ?? store, standing: self.standing, rules: settings.rules,
            logger: JobNode.quiet)
        self.runner = ShardRunner(
            store: shards ?? store, standing: self.standing, works: works, assigned: self.planner.assigned,
            settings: settings, logger: JobNode.quiet)
    }

    var acting: Set<ShardNumber> { Set(self.runner.acting.map(\.number)) }

    /// One heartbeat, and what a node does with its answer.
    private func beat() async {
        guard let answer = try? await self.member.beat(), self.hears.load(ordering: .relaxed) else { return }
        guard case .alive(let news) = answer else { return self.standing.set(.outside) }
        switch news.status {
        case .draining: self.standing.set(.draining(self.right, news.configVersion))
        case .active where self.isSick.load(ordering: .relaxed):
            self.standing.set(.sick(self.right, reason: "test"))
        case .active: self.standing.set(.serving(self.right, news.configVersion))
        case .dead: self.standing.set(.outside)
        }
        if news.viewVersion != self.standing.view()?.version, let view = try? await self.store.view() {
            self.standing.set(view: view)
        }
        self.standing.set(shardNews: news.shardNews)
    }

    /// Runs the nodes, and beats for them, until the body returns; then stops them gracefully.
    static func running(
        _ nodes: [ShardNode], _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await JobNode.running(nodes.flatMap(\.services)) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for node in nodes {
                    group.addTask {
                        try await eventually("the end of the test", within: .seconds(600)) {
                            await node.beat()
                            return false
                        }
                    }
                }
                let result = await Self.result(body)
                group.cancelAll()
                while let ended = await group.nextResult() { _ = ended }
                try result.get()
            }
        }
    }

    private static func result(
        _ body: @Sendable () async throws -> Void
    ) async -> Result<Void, any Error> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}

/// Standing work that notes what it is given, and does what the test says.
final class ScriptedWork: StandingWork {
    private struct State {
        var given: [Set<ShardTitle>] = []
        var cancelled = 0
    }

    let name = "scripted"
    let calling = Bell()
    private let state = Mutex(State())
    private let body: @Sendable ([ShardTitle], NodeRight, any ShardDesk) async -> StandingRound

    init(
        _ body: @escaping @Sendable ([ShardTitle], NodeRight, any ShardDesk) async -> StandingRound = {
            _, _, _ in StandingRound(rest: .milliseconds(100))
        }
    ) {
        self.body = body
    }

    var rounds: Int { self.state.withLock { $0.given.count } }
    var cancelled: Int { self.state.withLock { $0.cancelled } }
    var last: Set<ShardTitle> { self.state.withLock { $0.given.last ?? [] } }

    func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        self.state.withLock { $0.given.append(Set(shards)) }
        let round = await self.body(shards, right, desk)
        if Task.isCancelled { self.state.withLock { $0.cancelled += 1 } }
        return round
    }

    func calls() -> AsyncStream<Void> { self.calling.listen() }
}

/// Who works on which shard at this moment; two at once are noted unless the older one is dead.
final class ShardBook: Sendable {
    private struct State {
        var working: [ShardNumber: NodeRight] = [:]
        var dead: Set<Incarnation> = []
        var overlaps = 0
    }

    private let state = Mutex(State())
    var overlaps: Int { self.state.withLock { $0.overlaps } }

    func died(_ right: NodeRight) { _ = self.state.withLock { $0.dead.insert(right.incarnation) } }

    func begin(_ shards: [ShardTitle], by right: NodeRight) {
        self.state.withLock { state in
            for shard in shards {
                if let other = state.working[shard.number], !state.dead.contains(other.incarnation) {
                    state.overlaps += 1
                }
                state.working[shard.number] = right
            }
        }
    }

    func end(_ shards: [ShardTitle], by right: NodeRight) {
        self.state.withLock { state in
            for shard in shards where state.working[shard.number] == right {
                state.working[shard.number] = nil
            }
        }
    }

    /// A work whose rounds last a moment, all in this book.
    var work: ScriptedWork {
        ScriptedWork { shards, right, _ in
            self.begin(shards, by: right)
            defer { self.end(shards, by: right) }
            for _ in 0..<200 { await Task.yield() }
            return StandingRound(rest: .milliseconds(50))
        }
    }
}
