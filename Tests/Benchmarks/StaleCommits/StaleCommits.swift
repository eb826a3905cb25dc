import ArgumentParser
import ClusterModel
import ClusterPorts
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import Synchronization

/// Evicts members in the middle of their writes, thousands of times, and counts what the dead can still commit.
struct StaleCommits: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stale-commits",
        abstract:
            "Evicts members in the middle of their writes, and counts what is accepted from them afterwards.",
        discussion: """
            Attempts that begin after the eviction was answered must all be refused. Of those that were under way \
            the commits' stamps tell whether one became visible after the death (track_commit_timestamp=on).
            """)

    @Option(help: "Libpq's connection string, with a database of its own.")
    var database: String

    @Option(help: "Evictions.")
    var evictions = 1_000

    @Option(help: "No eviction begins after so many seconds.")
    var seconds = 300.0

    @Option(help: "Victims that live at the same time.")
    var atOnce = 12

    @Option(help: "Connections that they share.")
    var connections = 16

    @Flag(help: "Replace two statements by naive ones: the load has to notice.")
    var broken = false

    func validate() throws {
        guard (1...1_000_000).contains(self.evictions), (1...100).contains(self.atOnce),
            (1...100).contains(self.connections), (0.1...3600).contains(self.seconds)
        else { throw ValidationError("--evictions from 1, --at-once and --connections from 1 to 100") }
    }

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let configuration = PostgresStoreConfiguration(
            connectionString: self.database, node: "stale-commits", connections: self.connections)
        let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
        let tally = CommitTally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            let scene = try await Scene.make(
                pool, configuration, tally, isBroken: self.broken, logger: logger)
            let evictor = try await Evictor.join(scene)
            let started = ContinuousClock.now
            try await self.evictAll(
                by: evictor, on: scene, until: started.advanced(by: .seconds(self.seconds)))
            tally.change { $0.seconds = started.duration(to: .now) / .seconds(1) }
            try await evictor.leave()
        }
        try tally.printLine()
    }

    private func evictAll(
        by evictor: Evictor, on scene: Scene, until end: ContinuousClock.Instant
    ) async throws {
        // Nobody's lock: the line only carries the victims' heartbeats.
        let nobody = try await scene.store.nextIncarnation(above: nil)
        let line = BeatingLine(scene.lines, lock: nobody)
        defer { line.close() }
        try await Rehearsal(scene: scene, evictor: evictor).run(on: line)
        let budget = Budget(self.evictions - 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<self.atOnce {
                group.addTask {
                    let line = BeatingLine(scene.lines, lock: nobody)
                    defer { line.close() }
                    while ContinuousClock.now < end, budget.takesOne() {
                        try await Self.oneLife(by: evictor, on: scene, line: line)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// What is left of the evictions that were asked for.
    private final class Budget: Sendable {
        private let left: Atomic<Int>

        init(_ count: Int) { self.left = Atomic(count) }

        func takesOne() -> Bool { self.left.subtract(1, ordering: .relaxed).newValue >= 0 }
    }

    private final class Eviction: Sendable {
        let isAnswered = Atomic(false)
    }

    /// A life that fails because an answer was lost is left out, and its victim does not stay.
    private static func oneLife(by evictor: Evictor, on scene: Scene, line: BeatingLine) async throws {
        let victim = try await scene.join()
        do {
            try await Self.oneLife(of: victim, by: evictor, on: scene, line: line)
        } catch let error as StoreError {
            guard scene.tally.failed("a life", error) <= Life.unknownMax else { throw error }
            _ = try await scene.store.evict(victim.right.incarnation, reason: "its life failed")
        }
    }

    private static func oneLife(
        of victim: Victim, by evictor: Evictor, on scene: Scene, line: BeatingLine
    ) async throws {
        let stock = SharedStock(try await victim.stockUp())
        let way = Evictor.Way.allCases.randomElement() ?? .order
        try await evictor.prepare(way, against: victim)
        let eviction = Eviction()
        let life = Life(
            victim: victim, stock: stock, line: line, keepsStill: way != .order,
            isEvicted: { eviction.isAnswered.load(ordering: .sequentiallyConsistent) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await life.run() }
            try await Pace.rest(.microseconds(Int.random(in: 0...8_000)))
            try await evictor.evict(victim, way)
            eviction.isAnswered.store(true, ordering: .sequentiallyConsistent)
            scene.tally.change { $0.evictions += 1 }
            // Some find their leases swept, and the others must not need that.
            if Int.random(in: 0..<8) == 0 { try await evictor.sweep() }
            try await group.waitForAll()
        }
        try await life.judgeOrder()
        try await life.clear()
    }
}

extension Scene {
    static func make(
        _ pool: PostgresPool, _ configuration: PostgresStoreConfiguration, _ tally: CommitTally,
        isBroken: Bool, logger: Logger
    ) async throws -> Scene {
        let stamps = try await pool.query("select current_setting('track_commit_timestamp') = 'on'")
        let scene = Scene(
            pool: pool, store: PostgresStore(pool: pool),
            lines: PostgresHeartbeatLines(server: configuration.heartbeats), tally: tally,
            isBroken: isBroken, judgesOrder: try stamps.exactlyOne()[0, as: Bool.self])
        try await scene.prepare(logger: logger)
        return scene
    }
}
