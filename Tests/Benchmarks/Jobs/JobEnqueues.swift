import ArgumentParser
import ClusterModel
import ClusterPorts
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop

/// Jobs enqueued one at a time from many tasks, each answered when it is durable.
struct JobEnqueues: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job-enqueue", abstract: "Enqueues no-op jobs, each in a statement of its own.")

    @OptionGroup var load: LoadOptions

    @Option(help: "Libpq's connection string.")
    var database: String

    @Option(help: "Connections of the pool.")
    var connections = 8

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let measurement = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let configuration = PostgresStoreConfiguration(
                connectionString: self.database, node: "bench", connections: self.connections)
            let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
            group.addTask { await pool.run() }
            try await SchemaMigrator(pool: pool, logger: logger).run()
            let store = PostgresStore(pool: pool)
            let spec = try BenchmarkJob.spec()
            return try await ClosedLoop(self.load, on: loop).measure { _ in
                let answers = try await store.enqueue([spec])
                guard case .enqueued = answers.first else {
                    throw ValidationError("a job was not enqueued: \(answers)")
                }
                return true
            }
        }
        try LoadReport("job-enqueue", unit: "jobs", tasks: self.load.tasks, measurement).printLine()
    }
}

/// The job that does nothing.
enum BenchmarkJob {
    static func kind() throws -> JobKind {
        guard let kind = JobKind("noop") else { throw ValidationError("“noop” is no kind of job") }
        return kind
    }

    static func spec(account: AccountID? = nil) throws -> JobSpec {
        JobSpec(kind: try Self.kind(), account: account, payload: "{\"number\": 1}", submitter: "benchmark")
    }
}
