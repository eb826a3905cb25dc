import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// Limits of kinds and accounts (L5).
@Suite struct JobLimitTests {
    @Test func `a limit lets so many run, and a free slot is taken again`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            try await db.policy("noop", slots: 3)
            try await db.enqueue(try (0..<10).map { _ in try spec() })
            #expect(try await db.store.survey(after: nil, lanes: 9, depth: 9).map(\.room) == [3])
            let jobs = try await db.claim(by: node)
            #expect(jobs.count == 3)
            #expect(try await db.claim(by: node) == [])
            #expect(try await db.store.survey(after: nil, lanes: 9, depth: 9).map(\.room) == [0])
            try await db.finish([jobs[1].title], by: node)
            #expect(try await db.claim(by: node).count == 1)
            try await db.expectNoFaults()
            #expect(try await db.number("select count(*) from flotilla.claim_slot") == 3)
        }
    }

    @Test func `a job under two limits takes a slot of each, and others are not held up`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            try await db.policy("noop", slots: 7)
            _ = try await db.store.set(
                JobPolicy(
                    scope: .account(someAccount), slots: 2, perNode: 7, weight: 3, requires: ["zone=a"],
                    revision: 0),
                ifRevision: nil)
            try await db.enqueue(
                try (0..<5).map { _ in try spec() } + (0..<5).map { _ in try spec(account: nil) }
                    + (0..<5).map { _ in try spec("free", account: nil) })
            let jobs = try await db.claim(by: node)
            #expect(jobs.count { $0.account == someAccount } == 2)
            #expect(jobs.count { $0.kind.description == "noop" } == 7)
            #expect(jobs.count { $0.kind.description == "free" } == 5)
            let lane = try #require(
                try await db.store.survey(after: nil, lanes: 9, depth: 9).first { $0.account == someAccount })
            #expect(lane.weight == 3 && lane.room == 0 && lane.requires == ["zone=a"] && lane.perNode == nil)
            try await db.expectNoFaults()
        }
    }

    @Test func `a limit that is made or lowered while jobs run lets none begin until there is room`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            try await db.enqueue(try (0..<20).map { _ in try spec() })
            let jobs = try await db.claim(8, by: node)
            #expect(jobs.count == 8)
            try await db.policy("noop", slots: 6)
            #expect(try await db.claim(by: node) == [])
            try await db.finish(jobs[0..<3].map(\.title), by: node)
            #expect(try await db.claim(by: node).count == 1)
            try await db.policy("noop", slots: 2)
            try await db.finish(jobs[3..<7].map(\.title), by: node)
            #expect(try await db.claim(by: node) == [])
            try await db.finish([jobs[7].title], by: node)
            #expect(try await db.claim(by: node).count == 1)
            try await db.policy("noop", slots: 0)
            #expect(try await db.claim(by: node) == [])
            try await db.expectNoFaults()
        }
    }

    @Test func `a claim that began before there was a limit has a slot when the limit holds`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await db.enqueue(try (0..<20).map { _ in try spec() })
            let lane = try #require(try await db.store.survey(after: nil, lanes: 9, depth: 9).first)
            let session = try await db.session()
            let jobs = try await session.transaction(deadline: .seconds(20)) { transaction in
                // The first claim stands before its claims are written; the limit waits for it; the second claim
                // began before the limit, and goes on after it.
                _ = try await transaction.query("lock table flotilla.claim in share mode")
                let share = LaneShare(
                    lane: lane.lane, kind: lane.kind, account: lane.account, from: nil, most: 5)
                async let first = db.withOtherNode { try await $0.claim([share], by: one.right) }
                try await db.waitForLockWaiters(1)
                async let limited: Void = db.withOtherNode { store in
                    _ = try await store.set(
                        JobPolicy(
                            scope: .kind(share.kind), slots: 6, perNode: nil, weight: 1, requires: [],
                            revision: 0),
                        ifRevision: nil)
                }
                try await db.waitForLockWaiters(2)
                async let second = db.withOtherNode { try await $0.claim([share], by: two.right) }
                try await db.waitForLockWaiters(3)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let (a, b) = (try await first, try await second)
                try await limited
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return (a ?? []) + (b ?? [])
            }
            await session.close()
            #expect(jobs.count >= 5 && jobs.count <= 6)
            #expect(try await db.claim(by: two).count == 6 - jobs.count)
            try await db.expectNoFaults()
        }
    }

    @Test func `a slot whose claim is gone is taken over`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            try await db.policy("noop", slots: 2)
            try await db.sql(
                "insert into flotilla.claim_slot values ('kind:noop', 1, 77, 7, 7), ('kind:noop', 2, 77, 8, 8)"
            )
            try await db.enqueue(try (0..<3).map { _ in try spec() })
            #expect(try await db.claim(by: node).count == 2)
            try await db.expectNoFaults()
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `twenty claimers never exceed limits that change under them`() async throws {
        try await withTestDatabase { db in
            var nodes: [JoinedNode] = []
            for _ in 0..<20 { nodes.append(try await JoinedNode.join(db)) }
            let total = 800
            try await db.enqueue(try (0..<total).map { try spec($0 % 2 == 0 ? "noop" : "other") })
            let done = Shared(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, node) in nodes.enumerated() {
                    group.addTask {
                        try await eventually("all jobs are done", within: .seconds(60)) {
                            let jobs = try await db.claim(1 + number % 4, by: node)
                            try await db.finish(
                                jobs.map(\.title),
                                number % 5 == 0 ? .givenBack(reason: "x") : .done(note: nil), by: node)
                            return done.change {
                                $0 += number % 5 == 0 ? 0 : jobs.count
                                return $0 == total
                            }
                        }
                    }
                }
                group.addTask {
                    var round = 0
                    while done.get() < total, !Task.isCancelled {
                        if round % 10 == 3 {
                            _ = try await db.store.removePolicy(.kind(try #require(JobKind("noop"))))
                        } else {
                            try await db.policy("noop", slots: 1 + round % 5)
                        }
                        _ = try await db.store.set(
                            JobPolicy(
                                scope: .account(someAccount), slots: 6, perNode: nil, weight: 1, requires: [],
                                revision: 0),
                            ifRevision: nil)
                        try await db.expectNoFaults()
                        round += 1
                    }
                    #expect(round > 3)
                }
                // The first that fails ends the others: they wait for its jobs.
                while try await group.next() != nil {}
            }
            try await db.expectNoFaults()
            #expect(try await db.number("select count(*) from flotilla.outcome where status = 'd'") == total)
        }
    }
}
