import ArgumentParser
import ClusterModel
import ClusterTestKit
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop

/// Nodes with uneven standing work, whose loads shift, and that join, leave and die.
struct ShardBalance: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shard-balance",
        abstract: "Measures how even the standing work is two minutes after each change, and what was moved.")

    @Option(help: "Libpq's connection string; the database must be empty.")
    var database: String

    @Option(help: "A folder of its own, for the cluster's files.")
    var mount: String

    @Option(help: "Nodes at the beginning.")
    var nodes = 5

    @Option(help: "Changes: join, shift, leave, kill, in this order and again.")
    var changes = 4

    @Option(help: "How many times faster than in life the standing work goes.")
    var pace = 8.0

    @Option(help: "What the loads are drawn from.")
    var seed: UInt64 = 1

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let before = ProcessUsage.now
        let started = ContinuousClock.now
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let configuration = PostgresStoreConfiguration(
            connectionString: self.database, node: "judge", connections: 2)
        let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
        let changes = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { await pool.run() }
            _ = try await SchemaMigrator(pool: pool, logger: logger).run()
            return try await self.change(PostgresStore(pool: pool), on: loop, &group)
        }
        var course = Course()
        course.operations = changes.count
        let measurement = Measurement(
            course: course, seconds: started.duration(to: .now) / .seconds(1),
            cpuSeconds: ProcessUsage.now.cpuSeconds - before.cpuSeconds)
        var report = LoadReport("shard-balance", unit: "changes", tasks: self.nodes, measurement)
        for (index, change) in changes.enumerated() {
            let place = "\(index)_\(change.name)"
            report.remarks["ratio_\(place)"] = change.ratio
            report.remarks["moves_\(place)"] = Double(change.moves)
            report.remarks["needed_\(place)"] = Double(change.needed)
        }
        report.remarks["worst"] = changes.map(\.ratio).max() ?? 0
        // From nothing there is no telling what was needed: nobody knew the loads.
        report.remarks["moves"] = Double(changes.dropFirst().reduce(0) { $0 + $1.moves })
        report.remarks["needed"] = Double(changes.dropFirst().reduce(0) { $0 + $1.needed })
        try report.printLine()
    }

    private func change(
        _ store: PostgresStore, on loop: ReadinessLoop, _ group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws -> [BalanceCluster.Change] {
        let loads = SyntheticLoads(seed: self.seed)
        var cluster = BalanceCluster(
            database: self.database, mount: self.mount, loop: loop, store: store, loads: loads,
            pace: self.pace)
        let nothing = try await cluster.before()
        for _ in 0..<self.nodes { try await cluster.join(&group) }
        var found = [try await cluster.judged("start", since: nothing)]
        for number in 0..<self.changes {
            let before = try await cluster.before()
            let name: String
            switch number % 4 {
            case 0:
                name = "join"
                try await cluster.join(&group)
            case 1:
                name = "shift"
                loads.shift()
            case 2:
                name = "leave"
                try await cluster.remove(killing: false)
            default:
                name = "kill"
                try await cluster.remove(killing: true)
            }
            found.append(try await cluster.judged(name, since: before))
        }
        for _ in cluster.nodes { try await cluster.remove(killing: false) }
        return found
    }
}
