import ArgumentParser
import ClusterModel
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import ServiceLifecycle
import UnixSignals

/// A node without doors, for the figures of failover: it joins, beats, accuses, sweeps and claims as a real one does.
///
/// deploy/bench starts some, kills and pauses them, and reads their lines; ``NodeEvents`` says what these mean.
struct ClusterNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster-node",
        abstract: "Runs a node that claims leases and prints a line an event, until it is stopped.")

    @Option(help: "Libpq's connection string; the schema is brought up to date.")
    var database: String

    @Option(help: "The folder of the cluster's files.")
    var mount: String

    @Option(help: "The node's name.")
    var name: String

    @Option(
        help:
            "Leases that it claims, and claims again whenever somebody has lost them; all nodes want the same."
    )
    var leases = 20

    func validate() throws {
        guard (1...500).contains(self.leases) else { throw ValidationError("--leases from 1 to 500") }
        guard NodeName(self.name) != nil else {
            throw ValidationError("--name \(self.name) is no node's name")
        }
    }

    func run() async throws {
        guard let name = NodeName(self.name) else { preconditionFailure("validated before: \(self.name)") }
        let loop = try ReadinessLoop(label: "node")
        defer { loop.shutdown() }
        var logger = Logger(label: self.name, factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .notice
        let database = PostgresStoreConfiguration(
            connectionString: self.database, node: self.name, connections: 2)
        let pool = try PostgresPool(database.pool, loop: loop, logger: logger)
        let node = ClusterNodeService(
            name: name, subjects: try self.subjects(), mount: self.mount, pool: pool, database: database,
            logger: logger)
        // The pool stops last, so that the node says good-bye by it.
        try await ClusterNodeService.runAll(
            [PoolService(pool: pool), node], until: [.sigterm, .sigint], logger: logger)
    }

    private func subjects() throws -> [LeaseSubject] {
        guard let kind = LeaseKind("benchmark") else { preconditionFailure("a kind that is written down") }
        return (0..<self.leases).compactMap { LeaseSubject(kind: kind, id: "\($0)") }
    }

    private struct PoolService: Service {
        let pool: PostgresPool

        func run() async { await self.pool.run() }
    }
}
