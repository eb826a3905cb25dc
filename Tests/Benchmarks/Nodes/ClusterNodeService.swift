import ClusterModel
import ClusterPorts
import ClusterRuntime
import FileService
import Logging
import PostgresDriver
import PostgresStore
import ServiceLifecycle
import SharedMount
import UnixSignals

/// Everything of a node that has to do with membership and leases, wired as `flotilla serve` wires it, and claimers.
struct ClusterNodeService: Service {
    let name: NodeName
    let subjects: [LeaseSubject]
    let mount: String
    let pool: PostgresPool
    let database: PostgresStoreConfiguration
    let logger: Logger

    func run() async throws {
        _ = try await SchemaMigrator(pool: self.pool, logger: self.logger).run()
        let store = PostgresStore(pool: self.pool)
        let claims = PostgresStore(pool: self.pool, lane: .claims)
        let vault = PosixVault(root: self.mount, logger: self.logger)
        let board = StandingBoard()
        let runtime = ClusterRuntime(
            store: claims, lines: PostgresHeartbeatLines(server: self.database.heartbeats), mount: vault,
            meter: Unloaded(), profile: self.profile, drain: MemberOwnDrain(claims), board: board,
            logger: self.logger)
        let desk = BatchingLeaseDesk(store: claims, standing: board, logger: self.logger)
        let sweeper = Sweeper(store: claims, board: board, desk: desk, logger: self.logger)
        let duties = LeaderDuties(store: claims, board: board, logger: self.logger)
        let recovery = Recovery(
            vault: vault, names: store, transfers: store, segments: store, cluster: store,
            departures: store, standing: board,
            logger: self.logger)
        let planner = ShardPlanner(store: claims, standing: board, logger: self.logger)
        let shards = ShardRunner(
            store: claims, standing: board, works: [recovery], assigned: planner.assigned,
            logger: self.logger)
        let book = GrantBook()
        let claimers = Claimers(subjects: self.subjects, desk: desk, board: board, book: book)
        let orders = NodeOrders(store: store, book: book)
        try await Self.runAll(
            [runtime, planner, shards, desk, sweeper, duties, orders, claimers], logger: self.logger)
        await vault.shutDown()
    }

    private var profile: NodeProfile {
        // Nobody comes by these addresses.
        NodeProfile(
            name: self.name, addresses: NodeAddresses(host: "127.0.0.1", filesPort: 1, adminPort: 1),
            version: "benchmark", knownSchema: Migration.newest, attributes: [:], capacity: 100,
            connections: self.database.connectionsInAll)
    }

    /// It has no doors, so nothing of it is ever under way.
    private struct Unloaded: LoadMeter {
        func sample() -> LoadSample { .idle }
    }

    /// Starts them in this order, and stops them in the reverse one.
    static func runAll(
        _ services: [any Service], until signals: [UnixSignal] = [], logger: Logger
    ) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { service in
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: signals, logger: logger))
        try await group.run()
    }
}
