import ClusterModel
import EmbeddedPostgres
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import ServiceLifecycle
import UnixSignals

/// What a node stands on: its database (when that is private), the connections to it, and then the node itself.
///
/// Services start in this order and stop in the reverse one, so that a node says good-bye while its database answers.
struct NodeFoundation {
    let settings: Settings
    /// For the person who started the node, said together with its addresses.
    let notes: [String]
    let logger: Logger

    func run() async throws {
        let loop = try ReadinessLoop(label: "drivers")
        var services: [any Service] = []
        let address: String
        var embedded: EmbeddedPostgres?
        switch self.settings.database {
        case .external(let url): address = url
        case .embedded:
            let postgres = try EmbeddedPostgres(
                configuration: EmbeddedPostgresConfiguration(data: self.settings.data), logger: self.logger)
            services.append(postgres)
            address = postgres.connectionString
            embedded = postgres
        }
        let store = PostgresStoreConfiguration(
            connectionString: address, node: self.settings.name?.description ?? "node",
            connections: self.settings.databaseConnections)
        let pool = try Self.pool(store, loop: loop, logger: self.logger)
        services.append(PoolService(pool: pool, embedded: embedded))
        services.append(
            NodeService(
                settings: self.settings, notes: self.notes, pool: pool, database: store,
                embedded: embedded, loop: loop, logger: self.logger))
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { service in
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: self.logger.atLeastInfo))
        try await group.run()
    }

    /// Connects once a private database answers; before, it could only complain.
    private struct PoolService: Service {
        let pool: PostgresPool
        let embedded: EmbeddedPostgres?

        func run() async throws {
            try? await cancelWhenGracefulShutdown { try await self.embedded?.waitUntilReady() }
            await self.pool.run()
        }
    }

    static func pool(
        _ configuration: PostgresStoreConfiguration, loop: ReadinessLoop, logger: Logger
    ) throws -> PostgresPool {
        do {
            return try PostgresPool(configuration.pool, loop: loop, logger: logger)
        } catch {
            throw SettingsError(faults: ["\(SettingKey.databaseURL): \(error.reason)"])
        }
    }
}

extension Logger {
    /// For the service groups, which at debug describe every service with all that it holds, secrets included.
    var atLeastInfo: Logger {
        var logger = self
        logger.logLevel = max(.info, self.logLevel)
        return logger
    }
}
