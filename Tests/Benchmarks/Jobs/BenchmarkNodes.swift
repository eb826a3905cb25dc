import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import RedisCache
import RedisDriver
import ServiceLifecycle
import Synchronization

/// Nodes of one process, each with a runner, a pool, a membership and heartbeats of its own; nobody accuses.
struct BenchmarkNodes {
    let stores: [PostgresStore]
    let runners: [JobRunner]
    let doorbells: [any Doorbell]

    /// - Parameter redis: nil for nodes that hear of others' jobs by asking alone.
    static func start(
        _ count: Int, capacity: Int, database: String, redis: String?, handler: any JobHandler,
        on loop: ReadinessLoop, in group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> BenchmarkNodes {
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        var stores: [PostgresStore] = []
        var runners: [JobRunner] = []
        var doorbells: [any Doorbell] = []
        var standings: [FixedStanding] = []
        for number in 0..<count {
            let configuration = PostgresStoreConfiguration(
                connectionString: database, node: "bench-\(number)", connections: 1)
            let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
            group.addTask { await pool.run() }
            if number == 0 { try await SchemaMigrator(pool: pool, logger: logger).run() }
            let store = PostgresStore(pool: pool)
            let doorbell = try await Self.doorbell(redis, store, on: loop, logger: logger, in: &group)
            let right = try await Self.join(store)
            let standing = FixedStanding(right)
            let beats = Heartbeats(
                of: right, lines: PostgresHeartbeatLines(server: configuration.heartbeats), standing)
            group.addTask { await beats.run() }
            // Claims go by their own lane, as in a node.
            let claims = PostgresStore(pool: pool, lane: .claims)
            let runner = JobRunner(
                store: claims, losses: claims, standing: standing, handlers: [handler], doorbell: doorbell,
                settings: JobRunner.Settings(capacity: capacity), logger: logger)
            stores.append(store)
            runners.append(runner)
            doorbells.append(doorbell)
            standings.append(standing)
        }
        let view = try await stores[0].view()
        for standing in standings { standing.set(view: view) }
        return BenchmarkNodes(stores: stores, runners: runners, doorbells: doorbells)
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

    private static func join(_ store: PostgresStore) async throws -> NodeRight {
        let incarnation = try await store.nextIncarnation(above: nil)
        let answer = try await store.join(JoinRequest.test(incarnation, named: nil))
        guard case .joined(let slot, let name) = answer else {
            throw ValidationError("a node of the benchmark could not join: \(answer)")
        }
        return NodeRight(slot: slot, incarnation: incarnation, name: name)
    }
}

/// The real heartbeat of one node, four times a second on a thread of its own; its answers carry the news of jobs.
private final class Heartbeats: Sendable {
    private let right: NodeRight
    private let lines: PostgresHeartbeatLines
    private let standing: FixedStanding
    private let stopped = Atomic(false)

    init(of right: NodeRight, lines: PostgresHeartbeatLines, _ standing: FixedStanding) {
        self.right = right
        self.lines = lines
        self.standing = standing
    }

    func run() async {
        let thread = Thread { self.beat() }
        thread.start()
        await Pace.untilCancelled()
        self.stopped.store(true, ordering: .relaxed)
    }

    private func beat() {
        guard let line = try? self.lines.open(for: self.right.incarnation, within: .seconds(10)) else {
            return
        }
        defer { line.close() }
        let pulse = Pulse(
            slot: self.right.slot, incarnation: self.right.incarnation, load: .idle, capacity: 100)
        while !self.stopped.load(ordering: .relaxed) {
            guard case .alive(let news)? = try? line.beat(pulse, within: .seconds(1)) else { return }
            self.standing.set(jobNews: news.jobNews)
            Pace.block(seconds: 0.25)
        }
    }
}
