import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// Everything at once, from many tasks, with nodes that die; then each job is in exactly one place.
@Suite struct JobMixTests {
    @Test func `after everything at once each job is in exactly one place, and all of them end`() async throws
    {
        try await withTestDatabase { db in
            let keeper = try await JoinedNode.join(db)
            let answered = Shared<Set<JobID>>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<3 {
                    group.addTask { try await Self.submit(db, task, answered) }
                }
                for _ in 0..<4 {
                    let node = try await JoinedNode.join(db)
                    group.addTask { try await Self.work(db, node) }
                }
                group.addTask {
                    for _ in 0..<30 {
                        let some = Array(answered.get().shuffled().prefix(4))
                        _ = try await db.store.cancel(some, by: "me", reason: nil)
                        _ = try await db.store.retry(some, by: "me")
                        _ = try await db.store.stage(limit: 20, by: keeper.right)
                        _ = try await db.store.sweepClaims(limit: 20, by: keeper.right)
                        try await db.expectNoFaults()
                    }
                }
                try await group.waitForAll()
            }
            try await db.expectNoFaults()
            try await eventually("all jobs have ended", within: .seconds(30)) {
                try await db.sql("update flotilla.later set due_at = clock_timestamp()")
                _ = try await db.store.sweepClaims(limit: 1_000, by: keeper.right)
                _ = try await db.store.stage(limit: 1_000, by: keeper.right)
                let jobs = try await db.claim(by: keeper)
                try await db.finish(jobs.map(\.title), by: keeper)
                return try await db.number("select count(*) from flotilla.job")
                    == db.number("select count(*) from flotilla.outcome")
            }
            try await db.expectNoFaults()
            let all = answered.get().count
            #expect(try await db.number("select count(*) from flotilla.job") == all)
        }
    }

    private static func submit(_ db: TestDatabase, _ task: Int, _ answered: Shared<Set<JobID>>)
        async throws
    {
        for round in 0..<25 {
            let specs = try (0..<8).map { number in
                try spec(
                    number % 2 == 0 ? "noop" : "other", key: number % 3 == 0 ? "k\(number)" : nil,
                    delay: number == 5 ? .milliseconds(20) : nil, id: number == 7 ? "\(round)" : nil,
                    attempts: 50)
            }
            for answer in try await db.store.enqueue(specs) {
                guard let id = answer.enqueued else { continue }
                answered.change { _ = $0.insert(id) }
            }
        }
    }

    private static func work(_ db: TestDatabase, _ first: JoinedNode) async throws {
        var node = first
        for round in 0..<40 {
            let jobs = try await db.claim(5, by: node)
            if round % 10 == 9 {
                // Dies with what it has, and what it says afterwards is fenced.
                try await db.sql(
                    "update flotilla.member set status = 'dead', died_at = now() where incarnation = \(node.right.incarnation.rawValue)"
                )
                #expect(try await db.finish(jobs.map(\.title), by: node).allSatisfy { $0 == .fenced })
                node = try await JoinedNode.join(db)
                continue
            }
            let ends: [JobEnd] = [
                .done(note: nil), .retry(after: .milliseconds(5), reason: "x"), .givenBack(reason: "x"),
                .failed(reason: "x"), .done(note: "x"),
            ]
            let answers = try await db.store.finish(
                jobs.enumerated().map { JobEnding(title: $1.title, end: ends[$0 % ends.count]) },
                by: node.right)
            #expect(answers.count == jobs.count)
        }
    }
}
