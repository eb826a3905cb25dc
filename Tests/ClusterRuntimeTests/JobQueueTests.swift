import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

/// Runners around the real store.
@Suite(.serialized) struct JobQueueTests {
    private static func node(_ joined: JoinedNode, _ store: PostgresStore, _ handler: ScriptedHandler)
        -> JobNode
    {
        JobNode(joined.right, store: store, losses: store, handlers: [handler])
    }

    /// Beats for the members, so that nobody takes them for dead, and tells their nodes the news.
    private static func beating(
        _ members: [(JoinedNode, JobNode)], _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (member, node) in members {
                group.addTask {
                    try await eventually("the end of the test", within: .seconds(600)) {
                        guard case .alive(let news)? = try? await member.beat() else { return false }
                        node.standing.set(jobNews: news.jobNews)
                        node.standing.set(leaseLosses: news.leaseLosses)
                        node.standing.set(sweepDue: news.sweepDue)
                        return false
                    }
                }
            }
            try await body()
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    @Test func `ten thousand jobs end once each though a runner dies in the middle`() async throws {
        try await withTestDatabase { database in
            try await database.withOtherNode { other in
                let ran = Meter()
                let handler = ScriptedHandler { job, _ in
                    ran.began(job)
                    ran.ended()
                    return .done(note: nil)
                }
                let (first, second) = (
                    try await JoinedNode.join(database), try await JoinedNode.join(database)
                )
                let one = Self.node(first, database.store, handler)
                let two = Self.node(second, other, handler)
                for _ in 0..<10 {
                    let specs = (0..<1_000).map { _ in JobWords.spec() }
                    _ = try await database.store.enqueue(specs)
                }
                try await JobNode.running(one.services + two.services) {
                    try await Self.beating([(second, two)]) {
                        try await eventually("some are done", within: .seconds(60)) { ran.all > 2_000 }
                        _ = try await database.store.leave(
                            slot: first.right.slot, incarnation: first.right.incarnation)
                        two.standing.set(sweepDue: true)
                        try await eventually("all have ended", within: .seconds(60)) {
                            try await Self.count(database, "select count(*) from flotilla.outcome") == 10_000
                        }
                    }
                }
                #expect(
                    try await Self.count(
                        database, "select count(*) from flotilla.outcome where status = 'd'") == 10_000)
                for table in ["ready", "later", "waiting", "claim"] {
                    #expect(try await Self.count(database, "select count(*) from flotilla.\(table)") == 0)
                }
                let accepted = one.runner.counts.done + two.runner.counts.done
                // What the dead one was told, or not told, of its last statement.
                #expect(accepted <= 10_000)
                #expect(two.runner.counts.done > 0 && one.runner.counts.done > 0)
            }
        }
    }

    @Test func `keys retries cancellations and delays go their ways`() async throws {
        try await withTestDatabase { database in
            let ran = Meter()
            let handler = ScriptedHandler { job, desk in
                ran.began(job)
                defer { ran.ended() }
                if job.payload.contains("wait"), job.attempt == 1 {
                    await JobWords.untilCancelled()
                    return .failed(reason: "cancelled")
                }
                if job.payload.contains("again"), job.attempt < 3 {
                    return .retry(after: .milliseconds(50), reason: "not yet")
                }
                return .done(note: "ok")
            }
            let member = try await JoinedNode.join(database)
            let node = Self.node(member, database.store, handler)
            let keyed = (0..<30).map { _ in JobWords.spec { $0.orderKey = "a" } }
            let others = [
                JobWords.spec { $0.payload = "{\"a\":\"again\"}" },
                JobWords.spec { $0.delay = .milliseconds(300) },
                JobWords.spec {
                    $0.payload = "{\"a\":\"wait\"}"
                    $0.deadline = .seconds(3_600)
                },
            ]
            let answers = try await database.store.enqueue(keyed + others)
            guard case .enqueued(let waiting)? = answers.last else {
                Issue.record("not enqueued")
                return
            }
            try await JobNode.running(node.services) {
                try await Self.beating([(member, node)]) {
                    try await eventually("all but one have ended", within: .seconds(20)) {
                        try await Self.count(database, "select count(*) from flotilla.outcome") == 32
                    }
                    #expect(try await Self.count(database, "select count(*) from flotilla.claim") == 1)
                    // As if its deadline had passed: its holder is told.
                    let held = try await database.store.claims(of: member.right, after: nil).map(\.title)
                    #expect(held.map(\.job) == [waiting])
                    #expect(try await database.store.sweepOverdue(held, by: member.right) == held)
                    try await eventually("its handler is cancelled and it runs again") {
                        try await Self.count(database, "select count(*) from flotilla.outcome") == 33
                    }
                    #expect(ran.now == 0)
                }
            }
            #expect(ran.order.filter { $0 <= 30 } == Array(1...30))
            #expect(
                try await Self.count(database, "select count(*) from flotilla.outcome where status = 'd'")
                    == 33)
            #expect(node.runner.counts.lost == 1)
        }
    }

    @Test func `a long job goes on at its checkpoint on another node when its node drains`() async throws {
        try await withTestDatabase { database in
            try await database.withOtherNode { other in
                let steps = Steps()
                let handler = ScriptedHandler { job, desk in
                    await steps.run(job, desk)
                }
                let (first, second) = (
                    try await JoinedNode.join(database), try await JoinedNode.join(database)
                )
                let one = Self.node(first, database.store, handler)
                let two = Self.node(second, other, handler)
                // One attempt: what is handed over must not count.
                let jobs = (0..<6).map { _ in JobWords.spec { $0.maxAttempts = 1 } }
                _ = try await database.store.enqueue(jobs)
                let beating = [(first, one), (second, two)]
                try await JobNode.running(one.services + two.services) {
                    try await Self.beating(beating) {
                        for (drained, resting) in [
                            ((first, one), two), ((second, two), one), ((first, one), two),
                        ] {
                            let (member, node) = drained
                            let before = steps.done
                            try await eventually("the long jobs get on") { steps.done > before + 30 }
                            _ = try await database.store.drain(
                                member.right.incarnation, by: .operator, reason: "test")
                            node.standing.set(.draining(member.right, ConfigVersion(0)))
                            try await eventually("nothing runs there") { node.runner.running == 0 }
                            let after = steps.done
                            try await eventually("the other one goes on") {
                                steps.done > after && resting.runner.running > 0
                            }
                            _ = try await database.store.resume(
                                member.right.incarnation, by: .operator, reason: "test")
                            node.standing.set(.serving(member.right, ConfigVersion(0)))
                        }
                        steps.finish()
                        try await eventually("all are done", within: .seconds(20)) {
                            try await Self.count(
                                database, "select count(*) from flotilla.outcome where status = 'd'") == 6
                        }
                    }
                }
                #expect(steps.faults == [])
                #expect(try await Self.count(database, "select max(attempt) from flotilla.outcome") == 1)
                #expect(
                    try await Self.count(
                        database,
                        "select count(distinct change) from flotilla.job_history where change = 'gave-back'")
                        == 1)
                #expect(one.runner.counts.givenBack > 0 && two.runner.counts.givenBack > 0)
                #expect(one.runner.counts.lost + two.runner.counts.lost == 0)
            }
        }
    }

    private static func count(_ database: TestDatabase, _ query: String) async throws -> Int64 {
        try await database.pool.query(PostgresStatement(unescaped: query)).exactlyOne()[0, as: Int64.self]
    }
}

/// A long job: it counts, notes how far it has come, and stops there when its node drains.
private final class Steps: Sendable {
    private struct State {
        var done = 0
        var reached: [Int64: Int] = [:]
        var isOver = false
        var faults: [String] = []
    }
    private let state = Mutex(State())

    var done: Int { self.state.withLock { $0.done } }
    var faults: [String] { self.state.withLock { $0.faults } }
    func finish() { self.state.withLock { $0.isOver = true } }

    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        let id = job.title.job.rawValue
        var step = job.checkpoint.flatMap { text in Int(text.filter(\.isNumber)) } ?? 0
        self.state.withLock { state in
            let reached = state.reached[id] ?? 0
            if step != reached { state.faults.append("job \(id) begins at \(step), not at \(reached)") }
            if job.attempt != 1 { state.faults.append("job \(id) is in attempt \(job.attempt)") }
        }
        while !self.state.withLock({ $0.isOver }) {
            if desk.isDraining || Task.isCancelled { return .givenBack(reason: "at step \(step)") }
            guard await desk.note(JobProgress(checkpoint: "{\"step\": \(step + 1)}"), of: job.title) else {
                return .givenBack(reason: "not noted")
            }
            step += 1
            self.state.withLock { state in
                state.done += 1
                state.reached[id] = step
            }
        }
        return .done(note: "\(step) steps")
    }
}
