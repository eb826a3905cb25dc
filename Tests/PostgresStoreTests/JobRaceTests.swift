import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// Two sessions at each point where one can hold the other up.
@Suite struct JobRaceTests {
    @Test func `the next job of a key is ready although it was enqueued while the first one ended`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            for isEndFirst in [true, false] {
                let key = "k\(isEndFirst)"
                try await db.enqueue(try spec(key: key))
                let job = try await db.one(by: node)
                let session = try await db.session()
                // Both stand at the key's row, in this order.
                let next = try await session.transaction(deadline: .seconds(20)) { transaction in
                    _ = try await transaction.query(
                        "select from flotilla.job_key where order_key = \(key) for update")
                    let end: @Sendable () async throws -> JobEndAnswer? = {
                        try await db.withOtherNode {
                            try await $0.finish(
                                [JobEnding(title: job.title, end: .done(note: nil))], by: node.right
                            ).first
                        }
                    }
                    let enqueue: @Sendable () async throws -> JobID? = {
                        try await db.withOtherNode {
                            try await $0.enqueue([try spec(key: key)]).first?.enqueued
                        }
                    }
                    if isEndFirst {
                        async let ended = end()
                        try await db.waitForLockWaiters(1)
                        async let next = enqueue()
                        try await db.waitForLockWaiters(2)
                        _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                        #expect(try await ended == .accepted)
                        let id = try await next
                        _ = try await transaction.query(PostgresStatement("begin").unprepared())
                        return id
                    }
                    async let next = enqueue()
                    try await db.waitForLockWaiters(1)
                    async let ended = end()
                    try await db.waitForLockWaiters(2)
                    _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                    #expect(try await ended == .accepted)
                    let id = try await next
                    _ = try await transaction.query(PostgresStatement("begin").unprepared())
                    return id
                }
                await session.close()
                _ = try await db.store.stage(limit: 9, by: node.right)
                #expect(try await db.place(try #require(next)) == "ready")
                try await db.expectNoFaults()
                try await db.finish(try await db.one(by: node), by: node)
            }
        }
    }

    @Test func `the next job of a key is ready although the one before it was cancelled while it waited`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let ids = try await db.enqueue(try (0..<4).map { _ in try spec(key: "k") })
            let job = try await db.one(by: node)
            #expect(
                try await db.store.cancel([ids[1], ids[2]], by: "me", reason: "why not") == [ids[1], ids[2]])
            try await db.finish(job, by: node)
            #expect(try await db.place(ids[3]) == "ready")
            // All behind the head are cancelled: the key is idle afterwards.
            let more = try await db.enqueue(try spec(key: "k"))
            #expect(try await db.store.cancel([more], by: "me", reason: nil) == [more])
            try await db.finish(try await db.one(by: node), by: node)
            _ = try await db.store.stage(limit: 9, by: node.right)
            #expect(try await db.place(try await db.enqueue(try spec(key: "k"))) == "ready")
            try await db.expectNoFaults()
        }
    }

    @Test func `one that is fenced, and one in a circle, hold no batch up`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await db.enqueue(try (0..<20).map { try spec(key: "k\($0)") })
            let jobs = try await db.claim(by: two)
            #expect(jobs.count == 20)
            #expect(
                try await db.store.cancel([jobs[3].title.job], by: "me", reason: nil) == [jobs[3].title.job])
            let answers = try await db.finish(jobs.map(\.title), by: two)
            #expect(answers.count { $0 == .accepted } == 19)
            #expect(answers[3] == .fenced)
            let losses = try await db.store.losses(of: two.right.incarnation, after: 0)
            #expect(losses.map(\.title.epoch) == [jobs[3].title.epoch])
            _ = one
            try await db.expectNoFaults()
        }
    }

    @Test func `an ending that waits for a death in flight is fenced`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let id = try await db.enqueue(try spec())
            let job = try await db.one(by: two)
            let killer = try await db.session()
            let ended = try await killer.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    "select from flotilla.member where slot = \(two.right.slot.rawValue) for update")
                async let ended = db.withOtherNode {
                    try await $0.finish([JobEnding(title: job.title, end: .done(note: nil))], by: two.right)
                }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(
                    "update flotilla.member set status = 'dead', died_at = now() where slot = \(two.right.slot.rawValue)"
                )
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await ended
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await killer.close()
            #expect(ended == [.fenced])
            #expect(
                try await db.store.sweepClaims(limit: 9, by: one.right) == SweptClaims(ready: 1, failed: 0))
            #expect(try await db.place(id) == "ready")
            try await db.expectNoFaults()
        }
    }

    @Test func `two sweepers share the dead and no job is given back twice`() async throws {
        try await withTestDatabase { db in
            let (one, two, three) = (
                try await JoinedNode.join(db), try await JoinedNode.join(db), try await JoinedNode.join(db)
            )
            try await db.enqueue(try (0..<300).map { try spec(attempts: $0 % 3 == 0 ? 1 : 5) })
            #expect(try await db.claim(by: three).count == 300)
            try await db.bury(three, by: one)
            let swept = try await withThrowingTaskGroup(of: [SweptClaims].self) { group in
                for node in [one, two, one, two] {
                    group.addTask {
                        try await db.withOtherNode { store in
                            var all: [SweptClaims] = []
                            while true {
                                let some = try await store.sweepClaims(limit: 7, by: node.right)
                                if some == SweptClaims(ready: 0, failed: 0) { return all }
                                all.append(some)
                            }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(swept.reduce(0) { $0 + $1.ready } == 200)
            #expect(swept.reduce(0) { $0 + $1.failed } == 100)
            try await db.expectNoFaults()
        }
    }

    @Test func `of two enqueuers of the same key one wins and both hear the same number`() async throws {
        try await withTestDatabase { db in
            let session = try await db.session()
            let (first, second) = try await session.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("lock table flotilla.ready in share mode")
                async let first = db.withOtherNode { try await $0.enqueue([try spec(id: "x")]) }
                try await db.waitForLockWaiters(1)
                async let second = db.withOtherNode {
                    try await $0.enqueue([try spec(id: "x"), try spec(id: "y")])
                }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await first, try await second)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            await session.close()
            let answers = [first[0], second[0]]
            let winner = try #require(answers.compactMap(\.enqueued).first)
            #expect(answers.contains(.duplicate(winner)))
            #expect(second[1].enqueued != nil)
            #expect(try await db.number("select count(*) from flotilla.job") == 2)
            try await db.expectNoFaults()
        }
    }

    @Test func `what is enqueued while retention is at work is neither lost nor doubled`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            let enqueued = try await withThrowingTaskGroup(of: [JobID].self) { group in
                for task in 0..<3 {
                    group.addTask {
                        var ids: [JobID] = []
                        for round in 0..<40 {
                            let specs = try (0..<5).map {
                                try spec(key: "k\($0)", id: "\(task)/\(round)/\($0)")
                            }
                            for answer in try await db.store.enqueue(specs) {
                                if let id = answer.enqueued { ids.append(id) }
                            }
                        }
                        return ids
                    }
                }
                group.addTask {
                    for _ in 0..<150 {
                        let jobs = try await db.claim(by: node)
                        try await db.finish(jobs.map(\.title), by: node)
                        _ = try await db.store.tidy(kept: .zero, limit: 50, partitions: 1, by: leader)
                    }
                    return []
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(enqueued.count == 600)
            try await db.expectNoFaults()
            while true {
                _ = try await db.store.stage(limit: 100, by: node.right)
                let jobs = try await db.claim(by: node)
                if jobs.isEmpty { break }
                try await db.finish(jobs.map(\.title), by: node)
            }
            while try await db.store.tidy(kept: .zero, limit: 1_000, partitions: 1, by: leader).rows > 0 {}
            _ = try await db.store.tidy(kept: .zero, limit: 1_000, partitions: 1, by: leader)
            #expect(try await db.number("select count(*) from flotilla.job") == 0)
            #expect(try await db.number("select count(*) from flotilla.job_key") == 0)
            #expect(try await db.number("select count(*) from flotilla.job_submission") == 0)
        }
    }

    private func leader(_ node: JoinedNode, _ db: TestDatabase) async throws -> LeaderRight {
        let lead = try #require(try await db.store.takeLead(LeadClaim(right: node.right, term: 0)))
        return LeaderRight(right: node.right, term: lead.term)
    }

    @Test
    func `whole partitions go when nothing else is in them, and new ones are there before they are needed`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            let old = try await db.enqueue([try spec(), try spec()])
            try await db.sql("select setval('flotilla.job_number', 3999999)")
            let new = try await db.enqueue([try spec()])
            #expect(new[0].rawValue == 4_000_000)
            #expect(try await db.store.tidy(kept: .zero, limit: 1, partitions: 1, by: leader).partitions == 0)
            #expect(
                try await db.number(
                    "select count(*) from pg_inherits where inhparent = 'flotilla.job'::regclass") == 4)
            try await db.finish(try await db.claim(by: node).map(\.title), by: node)
            #expect(
                try await db.store.tidy(kept: .seconds(3_600), limit: 9, partitions: 1, by: leader)
                    == TidiedJobs(rows: 0, partitions: 0))
            #expect(
                try await db.store.tidy(kept: .zero, limit: 1, partitions: 1, by: leader)
                    == TidiedJobs(rows: 1, partitions: 1))
            #expect(try await db.place(old[0]) == "nowhere")
            #expect(
                try await db.number(
                    "select count(*) from pg_inherits where inhparent = 'flotilla.job'::regclass") == 3)
            // Without a leader for long there is none: whoever enqueues makes one.
            try await db.sql("select setval('flotilla.job_number', 39999999)")
            #expect(try await db.enqueue(try spec()).rawValue > 39_999_999)
            try await db.expectNoFaults()
        }
    }

    @Test func `a write of a former leader forgets nothing`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            try await db.enqueue(try spec())
            try await db.finish(try await db.one(by: node), by: node)
            let former = LeaderRight(right: node.right, term: leader.term - 1)
            #expect(
                try await db.store.tidy(kept: .zero, limit: 9, partitions: 1, by: former)
                    == TidiedJobs(rows: 0, partitions: 0))
            #expect(try await db.store.tidy(kept: .zero, limit: 9, partitions: 1, by: leader).rows == 1)
        }
    }
}
