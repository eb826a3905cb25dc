import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// The life of jobs, one node at a time.
@Suite struct JobTests {
    @Test func `a job is enqueued, seen, claimed and done`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            var asked = try spec(deadline: .seconds(90))
            asked.bytes = 17
            asked.requires = ["zone=b", "disk=fast", "zone=b"]
            let id = try await db.enqueue(asked)
            let lane = try #require(try await db.store.survey(after: nil, lanes: 9, depth: 9).first)
            #expect(lane.kind.description == "noop" && lane.account == someAccount && lane.ready == 1)
            #expect(lane.requires == ["disk=fast", "zone=b"] && lane.weight == 1 && lane.room == nil)
            let job = try await db.one(by: node)
            #expect(job.title.job == id && job.lane == lane.lane && job.kind == asked.kind)
            #expect(job.account == someAccount && job.payload == #"{"n": 1}"# && job.bytes == 17)
            #expect(job.attempt == 1 && job.maxAttempts == 20 && job.deadline == .seconds(90))
            #expect(job.waited < .seconds(30) && job.checkpoint == nil)
            #expect(try await db.store.claims(of: node.right, after: nil).map(\.title) == [job.title])
            #expect(try await db.store.claims(of: node.right, after: job.title) == [])
            #expect(try await db.finish(job, by: node) == .accepted)
            #expect(try await db.finish(job, by: node) == .fenced)
            #expect(try await db.place(id) == "ended d")
            #expect(try await db.store.survey(after: nil, lanes: 9, depth: 9) == [])
            try await db.expectNoFaults()
        }
    }

    @Test func `a batch claims several lanes at once, in the order of the rank`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            var specs =
                try (0..<10).map { _ in try spec("one") }
                + (0..<10).map { _ in try spec("two", account: nil) }
            specs[7].priority = 9
            let ids = try await db.enqueue(specs)
            let lanes = try await db.store.survey(after: nil, lanes: 9, depth: 4)
            #expect(lanes.map(\.ready) == [4, 4])
            #expect(
                try await db.store.survey(after: lanes[0].lane, lanes: 9, depth: 99).map(\.lane) == [
                    lanes[1].lane
                ])
            #expect(try await db.store.survey(after: nil, lanes: 1, depth: 99).map(\.ready) == [10])
            let shares = lanes.map {
                LaneShare(lane: $0.lane, kind: $0.kind, account: $0.account, from: $0.firstRank, most: 3)
            }
            let jobs = try #require(try await db.store.claim(shares, by: node.right))
            #expect(
                jobs.filter { $0.kind.description == "one" }.map(\.title.job) == [ids[7], ids[0], ids[1]])
            #expect(jobs.filter { $0.kind.description == "two" }.map(\.title.job) == Array(ids[10..<13]))
            #expect(Set(jobs.map(\.title.epoch)).count == 1)
            // From a rank on.
            let later = try #require(
                try await db.store.claim(
                    [
                        LaneShare(
                            lane: lanes[0].lane, kind: lanes[0].kind, account: lanes[0].account, from: .max,
                            most: 3)
                    ],
                    by: node.right))
            #expect(later == [])
            let next = try await db.claim(by: node)
            #expect(next.count == 14)
            #expect(try #require(next.first).title.epoch > jobs[0].title.epoch)
            #expect(try await db.finish((jobs + next).map(\.title), by: node).allSatisfy { $0 == .accepted })
            try await db.expectNoFaults()
        }
    }

    @Test func `each ending puts the job where it says`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let ids = try await db.enqueue(try (0..<6).map { try spec(attempts: $0 == 4 ? 1 : 20) })
            let jobs = try await db.claim(by: node)
            let ends: [JobEnd] = [
                .done(note: nil), .done(note: "well"), .retry(after: .seconds(60), reason: "busy"),
                .failed(reason: "no such file"), .retry(after: .zero, reason: "again"),
                .givenBack(reason: "drain"),
            ]
            let answers = try await db.store.finish(
                zip(jobs, ends).map { JobEnding(title: $0.title, end: $1) }, by: node.right)
            #expect(answers == [.accepted, .accepted, .accepted, .accepted, .acceptedAsFailed, .accepted])
            var places: [String] = []
            for id in ids { places.append(try await db.place(id)) }
            #expect(places == ["ended d", "ended d", "later", "ended f", "ended f", "ready"])
            #expect(try await db.history(ids[2]) == ["retry"])
            #expect(try await db.history(ids[3]) == ["failed"])
            #expect(try await db.history(ids[5]) == ["gave-back"])
            // Given back: the attempt does not count, and it goes first.
            let again = try await db.one(by: node)
            #expect(again.title.job == ids[5] && again.attempt == 1)
            // The retry is due in a while.
            let staged = try await db.store.stage(limit: 100, by: node.right)
            #expect(staged.ready == 0)
            #expect(try #require(staged.nextIn) > .seconds(50))
            try await db.sql("update flotilla.later set due_at = clock_timestamp()")
            #expect(try await db.store.stage(limit: 100, by: node.right) == StagedJobs(ready: 1, nextIn: nil))
            #expect(try await db.one(by: node).attempt == 2)
            #expect(
                try await db.number(
                    "select count(*) from flotilla.feed where topic = 'job' and change = 'failed'") == 1)
            try await db.expectNoFaults()
        }
    }

    @Test func `a draining node claims nothing and may end what it has; a dead one may do neither`()
        async throws
    {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await db.enqueue([try spec(), try spec()])
            let job = try await db.one(by: two)
            try await db.sql(
                "update flotilla.member set status = 'draining' where slot = \(two.right.slot.rawValue)")
            #expect(try await db.claim(by: two) == [])
            #expect(try await db.finish(job, .givenBack(reason: "drain"), by: two) == .accepted)
            try await db.sql(
                "update flotilla.member set status = 'active' where slot = \(two.right.slot.rawValue)")
            let jobs = try await db.claim(by: two)
            #expect(jobs.count == 2)
            try await db.bury(two, by: one)
            let lane = try #require(jobs.first)
            try await db.enqueue(try spec())
            let share = LaneShare(lane: lane.lane, kind: lane.kind, account: lane.account, from: nil, most: 1)
            #expect(try await db.store.claim([share], by: two.right) == nil)
            // Completion by an evicted node, before and after the sweep.
            #expect(try await db.finish([jobs[0].title], by: two) == [.fenced])
            #expect(
                try await db.store.note(JobProgress(fraction: 0.5), of: jobs[0].title, by: two.right) == false
            )
            #expect(
                try await db.store.sweepClaims(limit: 9, by: one.right) == SweptClaims(ready: 2, failed: 0))
            #expect(try await db.finish(jobs.map(\.title), by: two) == [.fenced, .fenced])
            #expect(try await db.history(jobs[0].title.job).last == "node-died")
            let again = try await db.claim(by: one)
            #expect(again.filter { $0.attempt == 2 }.count == 2)
            #expect(try #require(again.first).title.epoch > lane.title.epoch)
            try await db.expectNoFaults()
        }
    }

    @Test func `a job that kills each of its holders fails with its history`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let id = try await db.enqueue(try spec(key: "k", attempts: 2))
            let behind = try await db.enqueue(try spec(key: "k"))
            for round in 1...2 {
                let victim = try await JoinedNode.join(db)
                #expect(try await db.one(by: victim).attempt == round)
                try await db.bury(victim, by: one)
                let swept = try await db.store.sweepClaims(limit: 9, by: one.right)
                #expect(swept == SweptClaims(ready: 2 - round, failed: round - 1))
            }
            #expect(try await db.place(id) == "ended f")
            #expect(try await db.history(id) == ["node-died", "node-died", "failed"])
            #expect(try await db.place(behind) == "ready")
            try await db.expectNoFaults()
        }
    }

    @Test func `jobs of a key run one after the other, also behind a failed one`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let first = try await db.enqueue([
                try spec(key: "a"), try spec(key: "b"), try spec(key: "a"), try spec(),
            ])
            let more = try await db.enqueue([try spec(key: "a", delay: .seconds(60)), try spec(key: "a")])
            var jobs = try await db.claim(by: node)
            #expect(Set(jobs.map(\.title.job)) == [first[0], first[1], first[3]])
            // A retry keeps its place.
            let head = try #require(jobs.first { $0.title.job == first[0] })
            #expect(try await db.finish(head, .retry(after: .zero, reason: "x"), by: node) == .accepted)
            #expect(try await db.store.stage(limit: 9, by: node.right).ready == 1)
            jobs = try await db.claim(by: node)
            #expect(jobs.map(\.title.job) == [first[0]])
            #expect(try await db.finish(jobs[0], .failed(reason: "x"), by: node) == .accepted)
            jobs = try await db.claim(by: node)
            #expect(jobs.map(\.title.job) == [first[2]])
            try await db.finish(jobs[0], by: node)
            #expect(try await db.place(more[0]) == "later")
            #expect(try await db.place(more[1]) == "waiting")
            try await db.expectNoFaults()
            try await db.sql("update flotilla.later set due_at = clock_timestamp()")
            _ = try await db.store.stage(limit: 9, by: node.right)
            try await db.finish(try await db.one(by: node), by: node)
            try await db.finish(try await db.one(by: node), by: node)
            #expect(try await db.place(more[1]) == "ended d")
            // The key is idle: the next one goes at once.
            #expect(try await db.place(try await db.enqueue(try spec(key: "a"))) == "ready")
            try await db.expectNoFaults()
        }
    }

    @Test func `the same submission enqueues once, and another content is refused`() async throws {
        try await withTestDatabase { db in
            let twice = try await db.store.enqueue([try spec(id: "x"), try spec(id: "x"), try spec(id: "y")])
            let id = try #require(twice[0].enqueued)
            #expect(twice[1] == .duplicate(id))
            #expect(
                try await db.store.enqueue([try spec(id: "x", payload: #"{  "n":1}"#)]) == [.duplicate(id)])
            #expect(try await db.store.enqueue([try spec(id: "x", payload: #"{"n":2}"#)]) == [.keyReused(id)])
            #expect(try await db.number("select count(*) from flotilla.job") == 2)
            let keyed = try await db.store.enqueue([try spec(key: "k", id: "x"), try spec(key: "k", id: "z")])
            #expect(keyed[0] == .keyReused(id))
            #expect(try await db.place(try #require(keyed[1].enqueued)) == "ready")
            try await db.expectNoFaults()
        }
    }

    @Test func `what is no job is refused by name, and the whole batch with it`() async throws {
        try await withTestDatabase { db in
            var bad = try spec()
            bad.priority = 10
            for (spec, word) in [
                (bad, "priority"), (try spec(payload: "{"), "json"), (try spec(key: ""), "order key"),
            ] {
                let error = await #expect(throws: StoreError.self) {
                    try await db.store.enqueue([try PostgresStoreTests.spec(), spec])
                }
                #expect("\(try #require(error))".contains(word))
            }
            #expect(try await db.number("select count(*) from flotilla.job") == 0)
        }
    }

    @Test func `progress and a checkpoint live on into the next attempt and go with success`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            try await db.enqueue(try spec())
            let job = try await db.one(by: node)
            #expect(
                try await db.store.note(
                    JobProgress(fraction: 0.25, checkpoint: #"{"at":1}"#), of: job.title, by: node.right))
            #expect(
                try await db.store.note(
                    JobProgress(fraction: 0.5, note: "half"), of: job.title, by: node.right))
            try await db.finish(job, .givenBack(reason: "drain"), by: node)
            #expect(
                try await db.store.note(JobProgress(fraction: 0.6), of: job.title, by: node.right) == false)
            let again = try await db.one(by: node)
            #expect(again.checkpoint == #"{"at": 1}"#)
            try await db.finish(again, by: node)
            #expect(try await db.number("select count(*) from flotilla.job_progress") == 0)
        }
    }

    @Test func `an overdue claim is taken away and its holder told`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let id = try await db.enqueue(try spec(deadline: .seconds(1)))
            let job = try await db.one(by: two)
            let candidates: [OverdueCandidate] = try await db.store.deadlines(
                after: Optional<JobTitle>.none, limit: 9)
            #expect(candidates == [OverdueCandidate(title: job.title, deadline: .seconds(1))])
            #expect(try await db.store.sweepOverdue([job.title], by: one.right) == [job.title])
            #expect(try await db.store.sweepOverdue([job.title], by: one.right) == [])
            #expect(try await db.finish(job, by: two) == .fenced)
            #expect(try await db.place(id) == "ready")
            guard case .alive(let news) = try await two.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(news.leaseLosses == 1)
            let losses = try await db.store.losses(of: two.right.incarnation, after: 0)
            #expect(losses.map(\.title.subject.description) == ["job/\(id)"])
            #expect(losses.map(\.title.epoch) == [job.title.epoch])
            try await db.expectNoFaults()
        }
    }

    @Test func `a heartbeat tells of news, and of nothing else`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            func news() async throws -> Int64 {
                guard case .alive(let news) = try await node.beat() else {
                    throw NeverHappened(description: "dead")
                }
                return news.jobNews
            }
            let before = try await news()
            #expect(try await news() == before)
            try await db.enqueue(try spec())
            let enqueued = try await news()
            #expect(enqueued > before)
            try await db.enqueue(try spec())
            #expect(try await news() > enqueued)
            let job = try await db.one(by: node)
            let claimed = try await news()
            try await db.finish(job, by: node)
            #expect(try await news() == claimed)
            for _ in 0..<2 {
                try await db.finish(try await db.one(by: node), .givenBack(reason: "x"), by: node)
            }
            #expect(try await news() > claimed)
        }
    }

    @Test func `a claim says whether its job has an order key`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let ids = try await db.enqueue([try spec(key: "k"), try spec()])
            for claims in [
                try await db.claim(by: node), try await db.store.claims(of: node.right, after: nil),
            ] {
                #expect(claims.filter(\.isOrdered).map(\.title.job) == [ids[0]] && claims.count == 2)
            }
        }
    }
}
