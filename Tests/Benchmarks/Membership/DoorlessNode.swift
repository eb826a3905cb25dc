import ClusterModel
import ClusterPorts
import ClusterRuntime
import FileService
import Logging
import PostgresDriver
import PostgresStore
import ServiceLifecycle
import SharedMount

/// A whole node but for its doors, wired as `flotilla serve` wires it: everything that asks the database by itself.
struct DoorlessNode: Sendable {
    let board = StandingBoard()
    let beats: TimedLines
    let desk: BatchingLeaseDesk
    private let vault: PosixVault
    private let services: [any Service]
    private let logger: Logger

    init(_ database: PostgresStoreConfiguration, pool: PostgresPool, mount: String, logger: Logger) {
        let store = PostgresStore(pool: pool)
        let claims = PostgresStore(pool: pool, lane: .claims)
        let vault = PosixVault(root: mount, logger: logger)
        let beats = TimedLines(PostgresHeartbeatLines(server: database.heartbeats))
        let desk = BatchingLeaseDesk(store: claims, standing: self.board, logger: logger)
        self.vault = vault
        self.beats = beats
        self.desk = desk
        self.logger = logger
        let recovery = Recovery(
            vault: vault, names: store, transfers: store, segments: store, cluster: store,
            departures: store,
            standing: self.board, logger: logger)
        let planner = ShardPlanner(store: claims, standing: self.board, logger: logger)
        let shards = ShardRunner(
            store: claims, standing: self.board, works: [recovery], assigned: planner.assigned, logger: logger
        )
        self.services = [
            ClusterRuntime(
                store: claims, lines: beats, mount: vault, meter: Unloaded(),
                profile: Self.profile(database), drain: MemberOwnDrain(claims), board: self.board,
                logger: logger),
            planner, shards, desk,
            Sweeper(store: claims, board: self.board, desk: desk, logger: logger),
            LeaderDuties(store: claims, board: self.board, logger: logger),
        ]
    }

    private static func profile(_ database: PostgresStoreConfiguration) -> NodeProfile {
        // Nobody comes by these addresses.
        NodeProfile(
            name: nil, addresses: NodeAddresses(host: "127.0.0.1", filesPort: 1, adminPort: 1),
            version: "benchmark", knownSchema: Migration.newest, attributes: [:], capacity: 100,
            connections: database.connectionsInAll)
    }

    /// It has no doors, so nothing of it is ever under way.
    private struct Unloaded: LoadMeter {
        func sample() -> LoadSample { .idle }
    }

    var isServing: Bool {
        if case .serving = self.board.standing() { return true }
        return false
    }

    /// Runs the node for as long as the body takes, and stops it in order.
    func running(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: self.services.map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0, failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: self.logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body()
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        await self.vault.shutDown()
    }
}
