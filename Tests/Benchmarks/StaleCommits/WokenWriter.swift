import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop

/// One member that writes and writes; somebody pauses the process, waits until others have evicted it, and wakes it.
struct WokenWriter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "woken-writer",
        abstract: "Writes as a member until it is told that it is dead, then tries to go on, and counts.",
        discussion: """
            Prints `joined INCARNATION`, then nothing until the file of --told exists: whoever makes it knows that \
            this incarnation is dead. Then it tries everything that a node writes, and prints its counts.
            """)

    @Option(help: "Libpq's connection string; the schema must be there.")
    var database: String

    @Option(help: "The file that will be there once this incarnation is dead.")
    var told: String

    @Option(help: "Attempts afterwards, for each of three writers.")
    var attempts = 40

    @Option(help: "Seconds that it waits for its death.")
    var seconds = 60.0

    func validate() throws {
        guard (1...10_000).contains(self.attempts), (1...3600).contains(self.seconds) else {
            throw ValidationError("--attempts from 1 to 10000, --seconds from 1 to 3600")
        }
    }

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let configuration = PostgresStoreConfiguration(
            connectionString: self.database, node: "woken-writer", connections: Life.writers)
        let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
        let tally = CommitTally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            let stamps = try await pool.query("select current_setting('track_commit_timestamp') = 'on'")
            let scene = Scene(
                pool: pool, store: PostgresStore(pool: pool),
                lines: PostgresHeartbeatLines(server: configuration.heartbeats), tally: tally,
                isBroken: false, judgesOrder: try stamps.exactlyOne()[0, as: Bool.self])
            try await Witness.prepare(pool)
            try await self.live(on: scene)
        }
        try tally.printLine()
    }

    private func live(on scene: Scene) async throws {
        let incarnation = try await scene.store.nextIncarnation(above: nil)
        let beats = BeatingThread(scene.lines, for: incarnation, every: .milliseconds(250))
        defer { beats.stop() }
        try await eventually("the line") { beats.isOpen }
        let victim = try await scene.join(incarnation)
        beats.begin(victim.right)
        let stock = SharedStock(try await victim.stockUp())
        FileHandle.standardOutput.write(Data("joined \(incarnation.rawValue)\n".utf8))
        let told = self.told
        let life = Life(
            victim: victim, stock: stock, line: nil, staleAttempts: self.attempts, rest: .milliseconds(5),
            isEvicted: { access(told, F_OK) == 0 })
        let seconds = self.seconds
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await Pace.rest(.seconds(seconds))
                throw SceneError(description: "nobody has told incarnation \(incarnation) that it is dead")
            }
            group.addTask { try await life.run() }
            // Whoever ends first: the writers, or the patience.
            try await group.next()
            group.cancelAll()
        }
        scene.tally.change { $0.evictions += 1 }
        try await life.judgeOrder()
    }
}
