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

/// One node that holds leases and does nothing else; it says what keeping them costs, whenever it is asked.
struct HeldLeases: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "held-leases",
        abstract: "Holds leases as a node, and measures its heartbeats meanwhile.",
        discussion: """
            Reads orders, a line each: `measure SECONDS` prints a line of JSON about these seconds; `end` gives all \
            leases back, prints how long that took, and stops the node. Prints `held N in SECONDS` first.
            """)

    @Option(help: "Libpq's connection string, with a database of its own.")
    var database: String

    @Option(help: "A folder of its own, for the cluster's files.")
    var mount: String

    @Option(help: "Leases that the node holds.")
    var leases = 1

    @Flag(help: "Each lease has a deadline, far away: the leader watches them page by page.")
    var deadlines = false

    func validate() throws {
        guard (1...2_000_000).contains(self.leases) else {
            throw ValidationError("--leases from 1 to 2000000")
        }
    }

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let configuration = PostgresStoreConfiguration(
            connectionString: self.database, node: "held-leases", connections: 2)
        let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            _ = try await SchemaMigrator(pool: pool, logger: logger).run()
            let node = DoorlessNode(configuration, pool: pool, mount: self.mount, logger: logger)
            let requests = try self.requests()
            try await node.running {
                try await eventually("the node serves", within: .seconds(30)) { node.isServing }
                try await Self.hold(requests, at: node)
            }
        }
    }

    /// Of one handle; the store takes no more in a statement.
    private static let bundle = 1_000
    /// Bundles that are asked for at the same time: the desk refuses more than ten thousand requests that wait.
    private static let bundlesAtOnce = 4

    /// Acquires them, carries out the orders, and gives them back.
    private static func hold(_ requests: [LeaseRequest], at node: DoorlessNode) async throws {
        let leases = requests.count
        let started = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { holders in
            let starts = Array(stride(from: 0, to: leases, by: Self.bundle))
            let books = starts.map { Array(requests[$0..<min(leases, $0 + Self.bundle)]) }
            // Handles cannot be kept in a list: a task for each, which keeps it until it is cancelled.
            for first in stride(from: 0, to: books.count, by: Self.bundlesAtOnce) {
                let last = min(books.count, first + Self.bundlesAtOnce)
                for book in books[first..<last] {
                    holders.addTask { try await Self.holdOne(book, at: node) }
                }
                let wanted = min(leases, last * Self.bundle)
                try await eventually("\(wanted) leases are held", within: .seconds(60)) {
                    node.desk.heldCount >= wanted
                }
            }
            Self.say("held \(node.desk.heldCount) in \(started.duration(to: .now) / .seconds(1))")
            try await Self.followOrders(at: node)
            let ending = ContinuousClock.now
            holders.cancelAll()
            try await holders.waitForAll()
            try await eventually("all leases are given back", within: .seconds(300)) {
                node.desk.heldCount == 0
            }
            Self.say("ended \(leases) in \(ending.duration(to: .now) / .seconds(1))")
        }
    }

    private static func holdOne(
        _ requests: [LeaseRequest], at node: DoorlessNode
    ) async throws {
        let bundle = try await node.desk.acquire(all: requests)
        await Pace.untilCancelled()
        bundle.release()
    }

    private func requests() throws -> [LeaseRequest] {
        guard let kind = LeaseKind("held") else { preconditionFailure("a kind that is written down") }
        return try (0..<self.leases).map { number in
            guard let subject = LeaseSubject(kind: kind, id: "\(number)") else {
                throw ValidationError("\(number) makes no subject")
            }
            return LeaseRequest(subject: subject, deadline: self.deadlines ? .seconds(86_400) : nil)
        }
    }

    private static func followOrders(at node: DoorlessNode) async throws {
        for await line in InputLines.stream() {
            let words = line.split(separator: " ")
            switch (words.first, words.dropFirst().first.flatMap { Double($0) }) {
            case ("measure", let seconds?):
                _ = node.beats.take()
                let before = ProcessUsage.now
                let started = ContinuousClock.now
                try await Pace.rest(.seconds(seconds))
                let elapsed = started.duration(to: .now) / .seconds(1)
                let cpu = (ProcessUsage.now.cpuSeconds - before.cpuSeconds) / elapsed
                try HeldReport(node.beats.take(), held: node.desk.heldCount, cpuMicroseconds: cpu * 1_000_000)
                    .printLine()
            case ("end", nil): return
            default: throw ValidationError("“\(line)” is no order")
            }
        }
    }

    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }
}

/// A measured while of a node that holds leases.
private struct HeldReport: Encodable {
    let held: Int
    let p50Milliseconds: Double?
    let p99Milliseconds: Double?
    /// CPU time of the node a second.
    let cpuMicroseconds: Double
    let residentBytes: Int

    init(_ beats: LatencyHistogram, held: Int, cpuMicroseconds: Double) {
        self.held = held
        self.p50Milliseconds = beats.milliseconds(at: 0.5)
        self.p99Milliseconds = beats.milliseconds(at: 0.99)
        self.cpuMicroseconds = cpuMicroseconds
        self.residentBytes = ProcessUsage.residentBytes
    }

    func printLine() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.keyEncodingStrategy = .convertToSnakeCase
        FileHandle.standardOutput.write(try encoder.encode(self) + Data("\n".utf8))
    }
}
