import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import Foundation
import Logging
import PostgresStore
import ReadinessLoop
import Synchronization

/// Jobs at a steady rate, and how long each waits from its commit until a node starts it.
struct JobPickup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job-pickup",
        abstract: "Enqueues jobs at a rate and measures the time from commit to start.")

    @Option(help: "Libpq's connection string; the database must be empty.")
    var database: String

    @Option(help: "Redis, for the doorbell; without it nodes hear of jobs by their heartbeats.")
    var redis: String?

    @Option(help: "Nodes, each with a runner and connections of its own.")
    var nodes = 5

    @Option(help: "Jobs a second.")
    var rate = 500

    @Option(help: "Seconds that are measured.")
    var seconds = 5.0

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let starts = PickupHandler(kind: try BenchmarkJob.kind())
        let before = ProcessUsage.now
        let started = ContinuousClock.now
        let course = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let nodes = try await BenchmarkNodes.start(
                self.nodes, capacity: 64, database: self.database, redis: self.redis, handler: starts,
                on: loop,
                in: &group)
            for runner in nodes.runners { group.addTask { try await runner.run() } }
            try await self.submit(nodes, starts)
            return try await starts.course(of: Int(Double(self.rate) * self.seconds))
        }
        let measurement = Measurement(
            course: course, seconds: started.duration(to: .now) / .seconds(1),
            cpuSeconds: ProcessUsage.now.cpuSeconds - before.cpuSeconds)
        try LoadReport("job-pickup", unit: "jobs", tasks: self.nodes, measurement).printLine()
    }

    /// At their moments, whatever the answers take; node by node in turn, each rings its own doorbell.
    private func submit(_ nodes: BenchmarkNodes, _ starts: PickupHandler) async throws {
        let spec = try BenchmarkJob.spec()
        let began = ContinuousClock.now
        let pause = Duration.seconds(1) / self.rate
        try await withThrowingDiscardingTaskGroup { group in
            for number in 0..<Int(Double(self.rate) * self.seconds) {
                try await Pace.rest(
                    .zero + ContinuousClock.now.duration(to: began.advanced(by: pause * number)))
                let place = number % nodes.stores.count
                group.addTask {
                    guard case .enqueued(let id)? = try await nodes.stores[place].enqueue([spec]).first else {
                        throw ValidationError("a job was not enqueued")
                    }
                    starts.committed(id)
                    nodes.doorbells[place].ring()
                }
            }
        }
    }
}

/// Notes when each job was committed and started.
final class PickupHandler: JobHandler {
    private struct Times {
        var committed: [JobID: ContinuousClock.Instant] = [:]
        var started: [JobID: ContinuousClock.Instant] = [:]
    }

    let kind: JobKind
    private let times = Mutex(Times())

    init(kind: JobKind) { self.kind = kind }

    func committed(_ job: JobID) { self.times.withLock { $0.committed[job] = .now } }

    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        self.times.withLock { $0.started[job.title.job] = .now }
        return .done(note: nil)
    }

    /// A start that came before the answer to its enqueue counts as none.
    func course(of count: Int) async throws -> Course {
        let due = ContinuousClock.now.advanced(by: .seconds(30))
        while self.times.withLock({ $0.started.count }) < count {
            guard ContinuousClock.now < due else { throw ValidationError("not all jobs were started") }
            try await Pace.rest(.milliseconds(5))
        }
        return self.times.withLock { times in
            var course = Course()
            for (job, committed) in times.committed {
                guard let started = times.started[job] else { continue }
                course.operations += 1
                course.latencies.record(max(.zero, committed.duration(to: started)))
            }
            return course
        }
    }
}
