import ArgumentParser
import ClusterModel
import ClusterPorts
import ClusterRuntime
import Logging
import PostgresStore
import ReadinessLoop

/// Jobs at a steady rate through real members, whatever happens to the servers, until it is told to stop.
///
/// Lines begin with the moment, in nanoseconds of CLOCK_MONOTONIC. `serving` when the nodes are members; every 100 ms
/// `at SENT ANSWERED RUN DONE`, counted since the start: submissions, those that were answered, runs of the handler, endings
/// that the database accepted; at the end, after `stop` on standard input, `over` with the same numbers and what was
/// given back, fenced and lost. The journal has what nobody may lose, outside the database: `enqueued NUMBER JOB` for
/// each answer, `ran JOB EPOCH` for each run.
struct JobSteady: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job-steady",
        abstract:
            "Enqueues and works on jobs at a steady rate until it is told to stop; prints a line each 100 ms."
    )

    @Option(help: "Libpq's connection string.")
    var database: String

    @Option(help: "Redis, for the doorbell.")
    var redis: String?

    @Option(help: "A folder for the cluster's mark.")
    var mount: String

    @Option(help: "The file that what happened is written to.")
    var journal: String

    @Option(help: "Nodes.")
    var nodes = 5

    @Option(help: "Jobs a second.")
    var rate = 1_000

    @Option(help: "Jobs that a node works on at a time.")
    var capacity = 64

    /// Submissions without an answer; who reaches it waits, as a submitter would.
    private static let openMost = 2_000
    /// After the stop, for the last jobs.
    private static let patience: Duration = .seconds(60)

    func validate() throws {
        guard (1...20).contains(self.nodes), (1...100_000).contains(self.rate) else {
            throw ValidationError("--nodes from 1 to 20, --rate from 1 to 100000")
        }
    }

    func run() async throws {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        var logger = Logger(label: "queue", factory: StreamLogHandler.standardError(label:))
        logger.logLevel = .warning
        let ledger = SteadyLedger(try SteadyJournal(self.journal), kind: try BenchmarkJob.kind())
        let settings = QueueNodes.Settings(
            count: self.nodes, capacity: self.capacity, database: self.database, redis: self.redis,
            mount: self.mount, connections: 4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            let nodes = try await QueueNodes.start(
                settings, handler: ledger, on: loop, logger: logger, in: &group)
            SteadyLine.say("serving")
            group.addTask { try await self.report(ledger, nodes) }
            try await self.submit(to: nodes, ledger)
            try await self.waitForLast(ledger, nodes)
            let counts = nodes.counts
            ledger.close()
            SteadyLine.say(
                "over \(ledger.line(done: counts.done)) \(counts.givenBack) \(counts.fenced) \(counts.lost)")
        }
    }

    private func report(_ ledger: SteadyLedger, _ nodes: QueueNodes) async throws {
        while true {
            SteadyLine.say("at \(ledger.line(done: nodes.counts.done))")
            try await Pace.rest(.milliseconds(100))
        }
    }

    /// Each at its moment, until somebody says `stop`; returns when all were answered.
    private func submit(to nodes: QueueNodes, _ ledger: SteadyLedger) async throws {
        try await withThrowingTaskGroup(of: Void.self) { outer in
            outer.addTask {
                for await line in InputLines.stream() where line == "stop" { break }
                ledger.stop()
            }
            try await withThrowingDiscardingTaskGroup { group in
                let pause = Duration.seconds(1) / self.rate
                var due = ContinuousClock.now
                var number = 0
                while !ledger.isStopped {
                    due = due.advanced(by: pause)
                    try await Pace.rest(max(.zero, ContinuousClock.now.duration(to: due)))
                    if ledger.open >= Self.openMost {
                        // What was not sent in time is not sent all at once.
                        due = ContinuousClock.now
                        continue
                    }
                    number += 1
                    let node = nodes.nodes[number % nodes.nodes.count]
                    ledger.sent()
                    group.addTask { [number] in try await Self.submit(number, to: node, ledger) }
                }
            }
            try await outer.waitForAll()
        }
    }

    /// Under a key, so that it may be sent again until it is answered.
    private static func submit(_ number: Int, to node: QueueNodes.Node, _ ledger: SteadyLedger) async throws {
        var spec = JobSpec(
            kind: try BenchmarkJob.kind(), account: nil, payload: "{\"number\": \(number)}",
            submitter: "steady")
        spec.idempotencyKey = "\(number)"
        let due = ContinuousClock.now.advanced(by: Self.patience)
        while true {
            do {
                guard let answer = try await node.store.enqueue([spec]).first else {
                    throw ValidationError("an enqueue was answered without a job")
                }
                switch answer {
                case .enqueued(let job), .duplicate(let job): ledger.answered(number, job)
                case .keyReused: throw ValidationError("key \(number) is said to stand for something else")
                }
                return node.doorbell.ring()
            } catch let error as StoreError {
                guard ContinuousClock.now < due else { throw error }
                try await Pace.rest(.milliseconds(.random(in: 50...150)))
            }
        }
    }

    /// A job that nobody ends is found by whoever reads the journal.
    private func waitForLast(_ ledger: SteadyLedger, _ nodes: QueueNodes) async throws {
        let due = ContinuousClock.now.advanced(by: Self.patience)
        while nodes.counts.done < ledger.count, ContinuousClock.now < due {
            // An ending whose answer was lost is counted by nobody.
            if nodes.nodes.allSatisfy({ $0.runner.running == 0 }), ledger.hasRunAll { break }
            try await Pace.rest(.milliseconds(20))
        }
        try await Pace.rest(.seconds(1))
    }
}
