import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop

/// Leases acquired and ended by the callers of many nodes, each node with its own desk and connection.
struct LeaseCycles: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lease-cycles",
        abstract:
            "Acquires leases of fresh subjects and ends them; the database must be empty or of this version.")

    @OptionGroup var load: LoadOptions

    @Option(help: "Libpq's connection string.")
    var database: String

    @Option(help: "Nodes; the tasks are shared out among them.")
    var nodes = 20

    @Option(help: "What the subjects begin with; no other round has the same.")
    var prefix: String

    func validate() throws {
        guard (1...20).contains(self.nodes), self.load.tasks >= self.nodes else {
            throw ValidationError("--nodes from 1 to 20, and at least one task for each")
        }
    }

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let measurement = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            var desks: [BatchingLeaseDesk] = []
            var pools: [PostgresPool] = []
            for number in 0..<self.nodes {
                let configuration = PostgresStoreConfiguration(
                    connectionString: self.database, node: "bench-\(number)", connections: 1)
                let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
                group.addTask { await pool.run() }
                if number == 0 { try await SchemaMigrator(pool: pool, logger: logger).run() }
                let store = PostgresStore(pool: pool)
                let desk = BatchingLeaseDesk(
                    store: store, standing: FixedStanding(try await Self.join(store)), logger: logger)
                group.addTask { try await desk.run() }
                desks.append(desk)
                pools.append(pool)
            }
            let measured = try await self.measure(desks, on: loop)
            try await Self.clear(pools[0])
            return measured
        }
        try LoadReport("lease-cycles", unit: "cycles", tasks: self.load.tasks, measurement).printLine()
    }

    /// A live member; nobody beats and nobody accuses, so it stays one.
    private static func join(_ store: PostgresStore) async throws -> NodeRight {
        let incarnation = try await store.nextIncarnation(above: nil)
        let answer = try await store.join(JoinRequest.test(incarnation, named: nil))
        guard case .joined(let slot, let name) = answer else {
            throw ValidationError("a node of the benchmark could not join: \(answer)")
        }
        return NodeRight(slot: slot, incarnation: incarnation, name: name)
    }

    /// The next round's nodes need the slots.
    private static func clear(_ pool: PostgresPool) async throws {
        _ = try await pool.query("update flotilla.member set status = 'dead', died_at = clock_timestamp()")
    }

    private func measure(_ desks: [BatchingLeaseDesk], on loop: ReadinessLoop) async throws -> Measurement {
        guard let kind = LeaseKind("benchmark") else { preconditionFailure("a kind that is written down") }
        let prefix = self.prefix
        return try await ClosedLoop(self.load, on: loop).measure { random in
            let number = random.next()
            let desk = desks[Int(number % UInt64(desks.count))]
            guard let subject = LeaseSubject(kind: kind, id: "\(prefix)-\(number)") else {
                throw ValidationError("--prefix \(prefix) makes no subject")
            }
            let lease = try await desk.acquire(LeaseRequest(subject: subject))
            guard try await lease.complete() else {
                throw ValidationError("a lease was lost that nobody took")
            }
            return true
        }
    }
}
