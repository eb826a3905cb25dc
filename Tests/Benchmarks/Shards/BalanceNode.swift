import ClusterModel
import ClusterPorts
import ClusterRuntime
import Coordinator
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import ServiceLifecycle
import SharedMount
import Synchronization

/// A node of the benchmark: membership, heartbeats, planner and shards as in `flotilla serve`, on a pool of its own.
final class BalanceNode: Sendable {
    let name: NodeName
    let board = StandingBoard()
    let planner: ShardPlanner
    let runner: ShardRunner
    private let pool: PostgresPool
    private let group: ServiceGroup
    private let ends: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation

    init(
        _ name: NodeName, capacity: Int, database: String, mount: String, work: any StandingWork,
        settings: ShardRunner.Settings, on loop: ReadinessLoop
    ) throws {
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let configuration = PostgresStoreConfiguration(
            connectionString: database, node: name.description, connections: 2)
        self.name = name
        self.pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
        let claims = PostgresStore(pool: self.pool, lane: .claims)
        let runtime = ClusterRuntime(
            store: claims, lines: PostgresHeartbeatLines(server: configuration.heartbeats),
            mount: PosixVault(root: mount, logger: logger), meter: Unloaded(),
            profile: NodeProfile(
                name: name, addresses: NodeAddresses(host: "127.0.0.1", filesPort: 1, adminPort: 1),
                version: "benchmark", knownSchema: Migration.newest, attributes: [:], capacity: capacity,
                connections: configuration.connectionsInAll),
            board: self.board, logger: logger)
        self.planner = ShardPlanner(
            store: claims, standing: self.board, rules: settings.rules, logger: logger)
        self.runner = ShardRunner(
            store: claims, standing: self.board, works: [work], assigned: self.planner.assigned,
            settings: settings, logger: logger)
        let services: [any Service] = [runtime, self.planner, self.runner]
        self.group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0, failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: logger))
        (self.ends, self.end) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    private struct Unloaded: LoadMeter {
        func sample() -> LoadSample { .idle }
    }

    var incarnation: Incarnation? { self.board.standing().right?.incarnation }

    var isServing: Bool {
        if case .serving = self.board.standing() { return true }
        return false
    }

    /// Until it left or was killed.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.pool.run() }
            try await withThrowingTaskGroup(of: Void.self) { services in
                services.addTask { try await self.group.run() }
                services.addTask { for await _ in self.ends { break } }
                // Whichever ends first ends the other: a node that left has nothing more to do.
                _ = try await services.next()
                services.cancelAll()
                while let ended = await services.nextResult() { _ = ended }
            }
            tasks.cancelAll()
        }
    }

    /// As a stopped process does.
    func leave() async { await self.group.triggerGracefulShutdown() }

    /// As a killed process does: nothing is said to anybody, and its sessions are gone.
    func kill() { self.end.finish() }
}
