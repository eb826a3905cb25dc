import ArgumentParser
import Logging
import PostgresDriver
import ReadinessLoop

/// Which database, over how many connections; its tables are those of `pgbench -i`.
struct DatabaseOptions: ParsableArguments {
    @Option(help: "Libpq's connection string.")
    var database: String

    @Option(help: "Connections of the pool.")
    var connections = 4

    @Option(help: "Statements in the pipeline of one connection; the driver's own unless told.")
    var depth: Int?

    @Option(help: "Rows of pgbench_accounts: 100000 times the scale.")
    var rows: Int32 = 1_000_000

    func validate() throws {
        guard (1...200).contains(self.connections), self.rows > 0 else {
            throw ValidationError("--connections from 1 to 200, --rows from 1")
        }
    }

    /// Runs `body` with a pool as a room of Flotilla has one, and stops the pool afterwards.
    func withPool<Answer: Sendable>(
        _ body: (PostgresPool, ReadinessLoop) async throws -> Answer
    ) async throws -> Answer {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        var configuration = PostgresPoolConfiguration(
            server: PostgresConfiguration(connectionString: self.database), connections: self.connections)
        if let depth = self.depth { configuration.depth = depth }
        let pool = try PostgresPool(configuration, loop: loop, logger: Logger(label: "benchmark"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            _ = try await pool.query("select 1")
            return try await body(pool, loop)
        }
    }
}
