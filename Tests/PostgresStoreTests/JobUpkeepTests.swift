import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

/// What keeps the queue's tables small, and what must not hold claims up.
@Suite struct JobUpkeepTests {
    private func leader(_ node: JoinedNode, _ db: TestDatabase) async throws -> LeaderRight {
        let lead = try #require(try await db.store.takeLead(LeadClaim(right: node.right, term: 0)))
        return LeaderRight(right: node.right, term: lead.term)
    }

    @Test func `a job that waits for a year keeps no partition but its own`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            let far = try await db.enqueue(try spec(delay: .seconds(31_000_000)))
            try await db.sql("select setval('flotilla.job_number', 3999999)")
            let middle = try await db.enqueue([try spec(), try spec(), try spec()])
            for job in try await db.claim(by: node) {
                try await db.finish(job, .failed(reason: "no"), by: node)
            }
            #expect(try await db.number("select count(*) from flotilla.job_history") == 3)
            try await db.sql("select setval('flotilla.job_number', 7999999)")
            try await db.enqueue(try spec())
            // The middle one first: its rows would go one by one otherwise.
            #expect(try await db.store.tidy(kept: .zero, limit: 1, partitions: 1, by: leader).partitions == 1)
            #expect(try await db.number("select count(*) from pg_class where relname = 'job_1'") == 0)
            #expect(try await db.place(middle[2]) == "nowhere")
            #expect(try await db.place(far) == "later")
            for _ in 0..<3 { _ = try await db.store.tidy(kept: .zero, limit: 1, partitions: 1, by: leader) }
            #expect(try await db.number("select count(*) from flotilla.job_history") == 0)
            #expect(
                try await db.number("select count(*) from pg_class where relname in ('job_0', 'job_2')") == 2)
            // The old one is still good, and its history with it.
            #expect(try await db.store.retry([far], by: "me") == [far])
            let jobs = try await db.claim(by: node)
            #expect(jobs.map(\.title.job).contains(far))
            try await db.finish(jobs.map(\.title), .retry(after: .seconds(60), reason: "not yet"), by: node)
            _ = try await db.store.tidy(kept: .zero, limit: 9, partitions: 1, by: leader)
            #expect(try await db.history(far) == ["sent-back", "retry"])
            try await db.expectNoFaults()
        }
    }

    @Test func `no more partitions go at a time than were asked for, and none for a former leader`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            for last in ["1", "3999999", "7999999", "11999999"] {
                try await db.sql("select setval('flotilla.job_number', \(unescaped: last))")
                try await db.enqueue(try spec())
                try await db.finish(try await db.one(by: node), by: node)
            }
            func tidy(_ most: Int, by leader: LeaderRight) async throws -> TidiedJobs {
                try await db.store.tidy(kept: .zero, limit: 9, partitions: most, by: leader)
            }
            let former = LeaderRight(right: node.right, term: leader.term - 1)
            #expect(try await tidy(9, by: former) == TidiedJobs(rows: 0, partitions: 0))
            #expect(try await tidy(0, by: leader) == TidiedJobs(rows: 4, partitions: 0))
            #expect(try await tidy(1, by: leader) == TidiedJobs(rows: 0, partitions: 1))
            #expect(try await tidy(9, by: leader) == TidiedJobs(rows: 0, partitions: 2))
            #expect(try await tidy(9, by: leader) == TidiedJobs(rows: 0, partitions: 0))
            try await db.expectNoFaults()
        }
    }

    @Test func `tidying and settling wait beside the claims' connection, not on it`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            let claims = PostgresStore(pool: db.pool, lane: .claims)
            try await db.enqueue(try spec())
            let session = try await db.session()
            let isTidied = Shared(false)
            try await session.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("lock table flotilla.event in access exclusive mode")
                async let tidied: Void = {
                    _ = try? await claims.tidy(kept: .zero, limit: 9, partitions: 1, by: leader)
                    isTidied.change { $0 = true }
                }()
                try await db.waitForLockWaiters(1)
                let lanes = try await claims.survey(after: nil, lanes: 9, depth: 9)
                #expect(lanes.count == 1 && !isTidied.get())
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                await tidied
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
            }
            await session.close()
            #expect(try await claims.survey(after: nil, lanes: 9, depth: 9).count == 1)
        }
    }

    @Test func `a limit settles although the highest slot number is taken`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            try await db.enqueue(try (0..<4).map { _ in try spec() })
            let running = try await db.claim(2, by: node)
            #expect(running.count == 2)
            try await db.sql(
                """
                insert into flotilla.claim_slot (scope, slot, incarnation, job, epoch)
                select 'kind:noop', 32767, incarnation, job, epoch from flotilla.claim
                where job = \(running[0].title.job.rawValue)
                """)
            try await db.policy("noop", slots: 3)
            #expect(try await db.claim(by: node).count == 1)
            #expect(
                try await db.number("select count(*) from flotilla.claim_slot where scope = 'kind:noop'") == 3
            )
            #expect(try await db.number("select min(slot) from flotilla.claim_slot") == 1)
            try await db.expectNoFaults()
        }
    }

    @Test func `what is postponed comes again, its attempt does not count, and is told once`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let id = try await db.enqueue(try spec(key: "a", attempts: 1))
            let next = try await db.enqueue(try spec(key: "a"))
            for _ in 0..<3 {
                let job = try await db.one(by: node)
                #expect(job.attempt == 1 && job.title.job == id)
                #expect(
                    try await db.finish(job, .postponed(for: .seconds(60), reason: "busy"), by: node)
                        == .accepted)
                #expect(try await db.place(id) == "later")
                #expect(try await db.place(next) == "waiting")
                try await db.sql("update flotilla.later set due_at = clock_timestamp()")
                #expect(try await db.store.stage(limit: 9, by: node.right).ready == 1)
            }
            #expect(try await db.history(id) == ["postponed"])
            try await db.finish(try await db.one(by: node), by: node)
            #expect(try await db.place(id) == "ended d")
            try await db.expectNoFaults()
        }
    }

    @Test func `a key outlives the job that an operator deleted, and goes when it would have gone`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let leader = try await leader(node, db)
            let id = try await db.enqueue(try spec(id: "invoice-1"))
            try await db.finish(try await db.one(by: node), by: node)
            #expect(try await db.store.delete([id]) == [id])
            #expect(try await db.store.enqueue([try spec(id: "invoice-1")]) == [.duplicate(id)])
            _ = try await db.store.tidy(kept: .seconds(3_600), limit: 9, partitions: 1, by: leader)
            #expect(try await db.store.enqueue([try spec(id: "invoice-1")]) == [.duplicate(id)])
            _ = try await db.store.tidy(kept: .zero, limit: 9, partitions: 1, by: leader)
            #expect(try await db.enqueue(try spec(id: "invoice-1")) > id)
        }
    }

    @Test func `what ended names the node that ended it, also when another one has its slot now`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let id = try await db.enqueue(try spec())
            try await db.finish(try await db.one(by: node), by: node)
            #expect(try await db.store.job(id)?.record.node == node.right.name)
            _ = try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation)
            try await db.sql("delete from flotilla.member")
            try await db.sql(
                """
                insert into flotilla.view_history (view_version, reason, slot, name, incarnation)
                select max(view_version) + 1, 'joined', \(node.right.slot.rawValue), 'another', 9999
                from flotilla.view_history
                """)
            #expect(try await db.store.job(id)?.record.node == node.right.name)
        }
    }

    @Test func `orders for the same jobs in other places at once end in no circle`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            for round in 0..<5 {
                var specs: [JobSpec] = []
                for number in 0..<60 {
                    specs.append(try spec(delay: number % 3 == 0 ? .seconds(60 + number) : nil))
                    specs.append(try spec("k\(number % 7)", key: "key\(number % 5)"))
                }
                let ids = try await db.enqueue(specs)
                _ = try await db.claim(20, by: node)
                let ended = try await withThrowingTaskGroup(of: [JobID].self) { group in
                    for task in 0..<6 {
                        group.addTask {
                            let asked = task % 2 == 0 ? ids : ids.reversed()
                            return try await db.store.cancel(asked, by: "\(task)", reason: nil)
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(Set(ended) == Set(ids) && ended.count == ids.count, "round \(round)")
                try await db.expectNoFaults()
            }
            #expect(
                try await db.number(
                    "select deadlocks from pg_stat_database where datname = current_database()") == 0)
        }
    }
}
