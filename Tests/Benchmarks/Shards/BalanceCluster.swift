import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Coordinator
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop

/// Nodes that come and go, and what it takes to keep them even.
struct BalanceCluster {
    /// One change of the cluster, and what followed.
    struct Change {
        var name: String
        /// Most loaded over the mean, when it was time to judge.
        var ratio: Double
        var moves: Int
        var needed: Int
    }

    let database: String
    let mount: String
    let loop: ReadinessLoop
    let store: PostgresStore
    let loads: SyntheticLoads
    /// How many times faster than in life the standing work goes.
    let pace: Double
    private(set) var nodes: [BalanceNode] = []
    private var gone: [BalanceNode] = []

    init(
        database: String, mount: String, loop: ReadinessLoop, store: PostgresStore, loads: SyntheticLoads,
        pace: Double
    ) {
        self.database = database
        self.mount = mount
        self.loop = loop
        self.store = store
        self.loads = loads
        self.pace = pace
    }

    private static let patience: Duration = .seconds(30)
    /// After this time it has to be even again.
    private static let settling: Duration = .seconds(120)

    /// All times of the rules are shorter by the pace; heartbeats, views and statements are what they are.
    private var settings: ShardRunner.Settings {
        var settings = ShardRunner.Settings()
        settings.rules.round /= self.pace
        settings.rules.report /= self.pace
        settings.rules.halfLife /= self.pace
        settings.rules.minimumStay /= self.pace
        settings.rules.handOffWait /= self.pace
        settings.rules.restlessRead /= self.pace
        return settings
    }

    private var moves: Int { (self.nodes + self.gone).reduce(0) { $0 + $1.planner.moves } }

    mutating func join(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        let number = self.nodes.count + self.gone.count + 1
        guard let name = NodeName("node-\(number)") else { throw ValidationError("\(number) is no name") }
        let node = try BalanceNode(
            name, capacity: [8, 8, 4][number % 3], database: self.database, mount: self.mount,
            work: SyntheticWork(self.loads, rest: .milliseconds(500) / self.pace), settings: self.settings,
            on: self.loop)
        group.addTask { try await node.run() }
        self.nodes.append(node)
        try await eventually("\(name) serves", within: Self.patience) { node.isServing }
    }

    /// The newest one leaves, the oldest one, which leads, is killed.
    mutating func remove(killing: Bool) async throws {
        let node = self.nodes.remove(at: killing ? 0 : self.nodes.count - 1)
        self.gone.append(node)
        let incarnation = node.incarnation
        if killing { node.kill() } else { await node.leave() }
        try await eventually("\(node.name) is gone", within: Self.patience) {
            try await self.store.view().members.contains {
                $0.incarnation == incarnation && $0.status == .dead
            }
        }
    }

    /// Who should have what, and how many moves there were, before a change.
    func before() async throws -> (records: [ShardRecord], moves: Int) {
        (try await self.store.shards(), self.moves)
    }

    /// What was needed is counted by what was before the change and who is there after it; what was done, when it is
    /// time to judge.
    func judged(
        _ name: String, since before: (records: [ShardRecord], moves: Int)
    ) async throws -> Change {
        let needed = BalanceNeed(self.loads.now, view: try await self.store.view()).moves(
            before.records, band: ShardRules.standard.band)
        try await Pace.rest(Self.settling / self.pace)
        try await eventually("each shard is worked on by one", within: Self.patience) { self.isShared }
        let ratio = BalanceNeed(self.loads.now, view: try await self.store.view()).ratio(
            try await self.store.shards())
        return Change(name: name, ratio: ratio, moves: self.moves - before.moves, needed: needed)
    }

    private var isShared: Bool {
        let held = self.nodes.map { Set($0.runner.acting.map(\.number)) }
        return held.reduce(0) { $0 + $1.count } == ShardNumber.count
            && held.reduce(Set()) { $0.union($1) }.count == ShardNumber.count
    }
}
