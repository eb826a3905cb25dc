import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import Synchronization

/// How long a few jobs of many small accounts wait, with or without one account's flood before them.
struct JobFairness: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job-fairness",
        abstract: "Measures how long small accounts' jobs wait from commit to start, beside a flood.")

    @Option(help: "Libpq's connection string; the database must be empty.")
    var database: String

    @Option(help: "Redis, for the doorbell.")
    var redis: String

    @Option(help: "Nodes, each with a runner and connections of its own.")
    var nodes = 5

    @Option(help: "Jobs that a node works on at a time.")
    var capacity = 10

    @Option(help: "Jobs of the one big account; 0 for the small ones alone.")
    var flood = 1_000_000

    @Option(help: "Small accounts.")
    var accounts = 50

    @Option(help: "Jobs of each small account in each wave.")
    var each = 10

    @Option(help: "How often the small accounts come; each time after the last ones have started.")
    var waves = 20

    @Option(help: "Milliseconds that a job takes.")
    var work = 5

    /// Between two waves, and before the first one.
    private static let pause: Duration = .milliseconds(500)
    /// For the start of one wave's jobs.
    private static let patience: Duration = .seconds(120)
    private static let batch = 1_000

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let waits = WaitsHandler(kind: try BenchmarkJob.kind(), work: .milliseconds(self.work))
        let before = ProcessUsage.now
        let started = ContinuousClock.now
        let left = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let nodes = try await BenchmarkNodes.start(
                self.nodes, capacity: self.capacity, database: self.database, redis: self.redis,
                handler: waits, on: loop, in: &group)
            try await self.pour(nodes.stores)
            for runner in nodes.runners { group.addTask { try await runner.run() } }
            for _ in 0..<self.waves {
                try await Pace.rest(Self.pause)
                try await self.wave(nodes, waits)
            }
            let rows = try await nodes.stores[0].pool.query("select count(*) from flotilla.ready")
            return try rows.exactlyOne()[0, as: Int64.self]
        }
        guard self.flood == 0 || left > 0 else {
            throw ValidationError("the flood was over before the measurement was")
        }
        let course = waits.course
        let measurement = Measurement(
            course: course, seconds: started.duration(to: .now) / .seconds(1),
            cpuSeconds: ProcessUsage.now.cpuSeconds - before.cpuSeconds)
        var report = LoadReport("job-fairness", unit: "jobs", tasks: self.nodes, measurement)
        report.remarks["mean_ms"] = waits.meanMilliseconds
        report.remarks["flood_left"] = Double(left)
        try report.printLine()
    }

    /// The big account's jobs.
    private func pour(_ stores: [PostgresStore]) async throws {
        guard self.flood > 0 else { return }
        let spec = try BenchmarkJob.spec(account: Self.account(0))
        let batches = (self.flood + Self.batch - 1) / Self.batch
        try await withThrowingDiscardingTaskGroup { group in
            let writers = min(2, stores.count)
            for writer in 0..<writers {
                group.addTask {
                    for _ in stride(from: writer, to: batches, by: writers) {
                        _ = try await stores[writer].enqueue(Array(repeating: spec, count: Self.batch))
                    }
                }
            }
        }
        _ = try await stores[0].pool.query("vacuum analyze flotilla.ready")
    }

    /// All small accounts at once, each with a statement of its own, at the nodes in turn.
    private func wave(_ nodes: BenchmarkNodes, _ waits: WaitsHandler) async throws {
        let wanted = self.accounts * self.each
        waits.begin(wanted)
        try await withThrowingDiscardingTaskGroup { group in
            for number in 1...self.accounts {
                let place = number % nodes.stores.count
                group.addTask {
                    let spec = try BenchmarkJob.spec(account: Self.account(number))
                    let answers = try await nodes.stores[place].enqueue(
                        Array(repeating: spec, count: self.each))
                    let now = ContinuousClock.now
                    for answer in answers {
                        guard case .enqueued(let job) = answer else {
                            throw ValidationError("a job was not enqueued: \(answer)")
                        }
                        waits.committed(job, at: now)
                    }
                    nodes.doorbells[place].ring()
                }
            }
        }
        let due = ContinuousClock.now.advanced(by: Self.patience)
        while !waits.hasAll {
            guard ContinuousClock.now < due else { throw ValidationError("a wave's jobs were not started") }
            try await Pace.rest(.milliseconds(2))
        }
    }

    private static func account(_ number: Int) -> AccountID {
        let (high, low) = (UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number))
        return AccountID(UUID(uuid: (0, 0, 0, 0, 0, 0, 64, 0, 128, 0, 0, 0, 0, 1, high, low)))
    }
}

/// Takes its time, and notes when each job of a small account was started.
final class WaitsHandler: JobHandler {
    private struct State {
        /// Jobs of this wave, and those that have not started.
        var expected = 0
        var wanted = 0
        var committed: [JobID: ContinuousClock.Instant] = [:]
        var started: [JobID: ContinuousClock.Instant] = [:]
        var course = Course()
        var total: Duration = .zero
    }

    let kind: JobKind
    private let work: Duration
    private let state = Mutex(State())

    init(kind: JobKind, work: Duration) {
        self.kind = kind
        self.work = work
    }

    /// The next wave.
    func begin(_ wanted: Int) {
        self.state.withLock { state in
            state.expected = wanted
            state.wanted = wanted
            state.committed = [:]
            state.started = [:]
        }
    }

    func committed(_ job: JobID, at now: ContinuousClock.Instant) {
        self.state.withLock { state in
            state.committed[job] = now
            if let started = state.started.removeValue(forKey: job) { Self.count(now, started, &state) }
        }
    }

    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        let now = ContinuousClock.now
        self.state.withLock { state in
            if let committed = state.committed[job.title.job] {
                Self.count(committed, now, &state)
            } else if state.committed.count < state.expected {
                // Of the flood, or started before the answer to its enqueue came.
                state.started[job.title.job] = now
            }
        }
        if self.work > .zero { try? await Pace.rest(self.work) }
        return .done(note: nil)
    }

    private static func count(
        _ committed: ContinuousClock.Instant, _ started: ContinuousClock.Instant, _ state: inout State
    ) {
        let wait = max(.zero, committed.duration(to: started))
        state.course.operations += 1
        state.course.latencies.record(wait)
        state.total += wait
        state.wanted -= 1
        if state.wanted == 0 { state.started = [:] }
    }

    var hasAll: Bool { self.state.withLock { $0.wanted == 0 } }

    var course: Course { self.state.withLock { $0.course } }

    var meanMilliseconds: Double {
        self.state.withLock { $0.total / .milliseconds(1) / Double(max(1, $0.course.operations)) }
    }
}
