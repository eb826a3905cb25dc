import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import FileService
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import RedisCache
import RedisDriver
import ServiceLifecycle
import SharedMount

/// Nodes without doors that work on the queue, wired as `flotilla serve` wires them: members that beat, accuse, lead,
/// stage and sweep; all in this process, each with connections of its own.
struct QueueNodes {
    struct Node {
        let store: PostgresStore
        let board: StandingBoard
        let runner: JobRunner
        let doorbell: any Doorbell
    }

    let nodes: [Node]

    struct Settings {
        var count: Int
        var capacity: Int
        var database: String
        /// Nil: nodes hear of others' jobs by their heartbeats alone.
        var redis: String?
        var mount: String
        /// Connections for submitting, of each node.
        var connections: Int
    }

    /// Returns when all of them serve.
    static func start(
        _ settings: Settings, handler: any JobHandler, on loop: ReadinessLoop, logger: Logger,
        in group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> QueueNodes {
        var nodes: [Node] = []
        for number in 1...settings.count {
            nodes.append(
                try await Self.node(number, settings, handler, on: loop, logger: logger, in: &group))
        }
        let due = ContinuousClock.now.advanced(by: .seconds(30))
        for node in nodes {
            while !node.isServing {
                guard ContinuousClock.now < due else { throw ValidationError("the nodes did not join") }
                try await Pace.rest(.milliseconds(20))
            }
        }
        return QueueNodes(nodes: nodes)
    }

    private static func node(
        _ number: Int, _ settings: Settings, _ handler: any JobHandler, on loop: ReadinessLoop,
        logger: Logger, in group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> Node {
        let database = PostgresStoreConfiguration(
            connectionString: settings.database, node: "queue-\(number)", connections: settings.connections)
        let pool = try PostgresPool(database.pool, loop: loop, logger: logger)
        group.addTask { await pool.run() }
        if number == 1 { try await SchemaMigrator(pool: pool, logger: logger).run() }
        let store = PostgresStore(pool: pool)
        let claims = PostgresStore(pool: pool, lane: .claims)
        let vault = PosixVault(root: settings.mount, logger: logger)
        let board = StandingBoard()
        let doorbell = try await Self.doorbell(settings.redis, store, on: loop, logger: logger, in: &group)
        let profile = NodeProfile(
            name: NodeName("queue-\(number)"),
            addresses: NodeAddresses(host: "127.0.0.1", filesPort: 1, adminPort: 1),
            version: "benchmark", knownSchema: Migration.newest, attributes: [:], capacity: 100,
            connections: database.connectionsInAll)
        let runtime = ClusterRuntime(
            store: claims, lines: PostgresHeartbeatLines(server: database.heartbeats), mount: vault,
            meter: Unloaded(), profile: profile, drain: MemberOwnDrain(claims), board: board, logger: logger)
        let runner = JobRunner(
            store: claims, losses: claims, standing: board, handlers: [handler], doorbell: doorbell,
            settings: JobRunner.Settings(capacity: settings.capacity), logger: logger)
        let stager = JobStager(
            store: claims, standing: board, ends: runner.orderedEnds, doorbell: doorbell, logger: logger)
        let sweeper = JobSweeper(
            store: claims, hot: store, standing: board, doorbell: doorbell, logger: logger)
        let duties = LeaderDuties(store: claims, board: board, logger: logger)
        group.addTask {
            try await ClusterNodeService.runAll([runtime, duties, stager, sweeper, runner], logger: logger)
            await vault.shutDown()
        }
        return Node(store: store, board: board, runner: runner, doorbell: doorbell)
    }

    private static func doorbell(
        _ redis: String?, _ store: PostgresStore, on loop: ReadinessLoop, logger: Logger,
        in group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> any Doorbell {
        guard let redis else { return LocalDoorbell() }
        let client = RedisClient(RedisConfiguration(url: try RedisURL(redis)), loop: loop, logger: logger)
        let doorbell = RedisDoorbell(
            client: client, cluster: try await store.facts().cluster, logger: logger)
        group.addTask { try await client.run() }
        group.addTask { try await doorbell.run() }
        return doorbell
    }

    /// What all of them have done.
    var counts: JobRunner.Counts {
        self.nodes.reduce(into: JobRunner.Counts()) { sum, node in
            let counts = node.runner.counts
            sum.claimed += counts.claimed
            sum.done += counts.done
            sum.givenBack += counts.givenBack
            sum.fenced += counts.fenced
            sum.lost += counts.lost
        }
    }

    /// It has no doors, so nothing of it is ever under way.
    private struct Unloaded: LoadMeter {
        func sample() -> LoadSample { .idle }
    }
}

extension QueueNodes.Node {
    var isServing: Bool {
        if case .serving = self.board.standing() { return true }
        return false
    }
}
