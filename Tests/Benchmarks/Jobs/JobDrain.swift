import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import Synchronization

/// No-op jobs drained by the runners of many nodes.
struct JobDrain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job-drain",
        abstract: "Enqueues no-op jobs, then measures how fast nodes claim, run and end them.")

    @Option(help: "Libpq's connection string; the database must be empty.")
    var database: String

    @Option(help: "Nodes, each with a runner and connections of its own.")
    var nodes = 20

    @Option(help: "Jobs that a node works on at a time.")
    var capacity = 100

    @Option(help: "Jobs in all.")
    var jobs = 100_000

    /// Nobody waits longer for the last job.
    private static let patience: Duration = .seconds(300)

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let counter = NoopHandler(kind: try BenchmarkJob.kind(), until: self.jobs)
        let measurement = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let nodes = try await BenchmarkNodes.start(
                self.nodes, capacity: self.capacity, database: self.database, redis: nil, handler: counter,
                on: loop, in: &group)
            try await self.fill(nodes.stores[0])
            let before = ProcessUsage.now
            let started = ContinuousClock.now
            for runner in nodes.runners { group.addTask { try await runner.run() } }
            try await counter.wait(Self.patience)
            try await self.waitUntilEnded(nodes.stores[0])
            let elapsed = started.duration(to: .now) / .seconds(1)
            var course = Course()
            course.operations = self.jobs
            return Measurement(
                course: course, seconds: elapsed, cpuSeconds: ProcessUsage.now.cpuSeconds - before.cpuSeconds)
        }
        try LoadReport("job-drain", unit: "jobs", tasks: self.nodes * self.capacity, measurement).printLine()
    }

    private func fill(_ store: PostgresStore) async throws {
        let spec = try BenchmarkJob.spec()
        var left = self.jobs
        while left > 0 {
            let count = min(1_000, left)
            _ = try await store.enqueue(Array(repeating: spec, count: count))
            left -= count
        }
        _ = try await store.pool.query("vacuum analyze flotilla.ready")
    }

    /// The last endings are on their way when the last handler has returned.
    private func waitUntilEnded(_ store: PostgresStore) async throws {
        let due = ContinuousClock.now.advanced(by: Self.patience)
        while ContinuousClock.now < due {
            let rows = try await store.pool.query("select count(*) from flotilla.claim")
            if try rows.exactlyOne()[0, as: Int64.self] == 0 { return }
            try await Pace.rest(.milliseconds(2))
        }
        throw ValidationError("claims were not ended")
    }
}

/// Does nothing, and counts.
final class NoopHandler: JobHandler {
    let kind: JobKind
    private let until: Int
    private let done = Mutex(0)
    private let (reached, reach) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(kind: JobKind, until: Int) {
        self.kind = kind
        self.until = until
    }

    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        let count = self.done.withLock { done in
            done += 1
            return done
        }
        if count == self.until { self.reach.finish() }
        return .done(note: nil)
    }

    /// Until so many were run.
    func wait(_ patience: Duration) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in self.reached {}
                return true
            }
            group.addTask {
                try await Pace.rest(patience)
                return false
            }
            let isReached = try await group.next() ?? false
            group.cancelAll()
            guard isReached else {
                throw ValidationError(
                    "\(self.done.withLock { $0 }) of \(self.until) jobs were run in \(patience)")
            }
        }
    }
}
