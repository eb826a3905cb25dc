import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Coordinator
import PostgresStore
import Synchronization
import Testing

/// Nodes with real rows, heartbeats and statements; only their standing is told.
@Suite(.serialized) struct ShardRunnerTests {
    private static let seven = ShardNumber.all[7]

    private static func join(_ database: TestDatabase, _ name: String) async throws -> JoinedNode {
        try await JoinedNode.join(database, named: name)
    }

    private static func lead(_ node: ShardNode, after term: Int64 = 0) async throws {
        _ = try #require(try await node.store.takeLead(LeadClaim(right: node.right, term: term)))
    }

    /// Every shard is acted for by one of these.
    private static func share(_ nodes: [ShardNode]) -> Bool {
        let held = nodes.map(\.acting)
        return held.reduce(0) { $0 + $1.count } == ShardNumber.count
            && held.reduce(Set()) { $0.union($1) }.count == ShardNumber.count
    }

    private static func row(_ store: PostgresStore, _ number: ShardNumber = Self.seven) async throws
        -> ShardRecord
    {
        try #require(try await store.shards().first { $0.number == number })
    }

    @Test func `each shard is worked on by one node, whoever comes, drains and dies`() async throws {
        try await withTestDatabase { database in
            let book = ShardBook()
            let one = ShardNode(try await Self.join(database, "one"), database.store, works: [book.work])
            let two = ShardNode(try await Self.join(database, "two"), database.store, works: [book.work])
            let three = ShardNode(try await Self.join(database, "three"), database.store, works: [book.work])
            try await Self.lead(one)
            try await ShardNode.running([one, two, three]) {
                try await eventually("all have their part") { Self.share([one, two, three]) }
                #expect([one, two, three].allSatisfy { (60...110).contains($0.acting.count) })
                _ = try await database.store.drain(three.right.incarnation, by: .operator, reason: "test")
                try await eventually("the draining one has nothing") {
                    three.acting.isEmpty && Self.share([one, two])
                }
                // The leader dies; the draining one must not get anything.
                book.died(one.right)
                _ = try await database.store.leave(
                    slot: one.right.slot, incarnation: one.right.incarnation)
                let term = try #require(try await database.store.view().leader?.term)
                _ = try await database.store.takeLead(LeadClaim(right: two.right, term: term))
                try await eventually("the last one has all") { two.acting.count == ShardNumber.count }
                try await eventually("the dead one has nothing") { one.acting.isEmpty }
            }
            #expect(book.overlaps == 0)
            #expect(try await database.store.shards().allSatisfy { $0.owner != two.right.incarnation })
        }
    }

    @Test func `a hand-off waits for the round in flight, and others go on`() async throws {
        try await withTestDatabase { database in
            let (open, stuck) = (Bell(), Bell())
            let slow = ScriptedWork { shards, _, _ in
                guard shards.contains(where: { $0.number == Self.seven }) else {
                    return StandingRound(rest: .seconds(60))
                }
                let gate = open.listen()
                stuck.ring()
                for await _ in gate { break }
                return StandingRound(rest: .seconds(60))
            }
            let quick = ScriptedWork()
            let one = ShardNode(
                try await Self.join(database, "one"), database.store, works: [slow, quick])
            let two = ShardNode(try await Self.join(database, "two"), database.store, works: [quick])
            try await Self.lead(one)
            try await database.store.pin(Self.seven, to: one.right.name)
            let waiting = stuck.listen()
            try await ShardNode.running([one, two]) {
                for await _ in waiting { break }
                try await eventually("all have their part") { Self.share([one, two]) }
                let title = try #require(one.runner.acting.first { $0.number == Self.seven })
                try await database.store.pin(Self.seven, to: two.right.name)
                try await eventually("it hands over") { !one.acting.contains(Self.seven) }
                // What is in hand may go on writing.
                #expect(one.runner.holds(title))
                let rounds = quick.rounds
                try await eventually("the other work goes on") { quick.rounds > rounds + 4 }
                #expect(try await Self.row(database.store).owner == one.right.incarnation)
                #expect(!two.acting.contains(Self.seven))
                open.ring()
                try await eventually("the new one has it") { two.acting.contains(Self.seven) }
                #expect(!one.runner.holds(title))
                #expect(slow.cancelled == 0)
            }
        }
    }

    @Test func `a round that does not end is cut after a bounded wait`() async throws {
        try await withTestDatabase { database in
            let endless = ScriptedWork { shards, _, _ in
                guard shards.contains(where: { $0.number == Self.seven }) else {
                    return StandingRound(rest: .seconds(60))
                }
                await JobWords.untilCancelled()
                return StandingRound(rest: .zero)
            }
            var settings = ShardRunner.Settings()
            settings.rules.handOffWait = .milliseconds(300)
            let one = ShardNode(
                try await Self.join(database, "one"), database.store, works: [endless], settings: settings)
            let two = ShardNode(try await Self.join(database, "two"), database.store, works: [ScriptedWork()])
            try await Self.lead(one)
            try await database.store.pin(Self.seven, to: one.right.name)
            try await ShardNode.running([one, two]) {
                try await eventually("it works") { endless.last.contains { $0.number == Self.seven } }
                try await database.store.pin(Self.seven, to: two.right.name)
                try await eventually("the new one has it") { two.acting.contains(Self.seven) }
                #expect(endless.cancelled >= 1)
                try await eventually("it goes on without") {
                    !endless.last.isEmpty && !endless.last.contains { $0.number == Self.seven }
                }
            }
        }
    }

    @Test func `an isolated node drops all at once and takes it again by a new epoch`() async throws {
        try await withTestDatabase { database in
            let endless = ScriptedWork { _, _, _ in
                await JobWords.untilCancelled()
                return StandingRound(rest: .zero)
            }
            let one = ShardNode(try await Self.join(database, "one"), database.store, works: [endless])
            try await Self.lead(one)
            try await ShardNode.running([one]) {
                try await eventually("it works on all") { endless.last.count == ShardNumber.count }
                let before = try #require(one.runner.acting.first)
                one.hears.store(false, ordering: .relaxed)
                one.standing.set(.isolated(one.right))
                #expect(!one.runner.holds(before))
                try await eventually("it is cancelled") { endless.cancelled > 0 && one.acting.isEmpty }
                // Nobody heard it: the rows say what they said.
                #expect(try await Self.row(database.store).owner == one.right.incarnation)
                one.hears.store(true, ordering: .relaxed)
                try await eventually("it has all again") { one.acting.count == ShardNumber.count }
                #expect(try #require(one.runner.acting.first).epoch > before.epoch)
            }
        }
    }

    @Test func `a sick node gives all away at once, and comes back`() async throws {
        try await withTestDatabase { database in
            let work = ScriptedWork()
            let one = ShardNode(try await Self.join(database, "one"), database.store, works: [work])
            try await Self.lead(one)
            try await ShardNode.running([one]) {
                try await eventually("it works on all") { work.last.count == ShardNumber.count }
                one.hears.store(false, ordering: .relaxed)
                one.standing.set(.sick(one.right, reason: "test"))
                try await eventually("nobody owns anything") {
                    try await database.store.shards().allSatisfy { $0.owner == nil }
                }
                #expect(one.acting.isEmpty)
                one.hears.store(true, ordering: .relaxed)
                try await eventually("it has all again") { one.acting.count == ShardNumber.count }
            }
            // And stopped in order it owns nothing either.
            #expect(try await database.store.shards().allSatisfy { $0.owner == nil })
        }
    }

    @Test func `a node that was sick and heard all news takes its shards at once`() async throws {
        try await withTestDatabase { database in
            let one = ShardNode(
                try await Self.join(database, "one"), database.store, works: [ScriptedWork()])
            try await Self.lead(one)
            try await ShardNode.running([one]) {
                try await eventually("it has all") { one.acting.count == ShardNumber.count }
                one.isSick.store(true, ordering: .relaxed)
                try await eventually("nobody owns anything") {
                    try await database.store.shards().allSatisfy { $0.owner == nil }
                }
                var calm = one.runner.counts.reads
                var since = ContinuousClock.now
                try await eventually("it reads no more", within: .seconds(20)) {
                    let reads = one.runner.counts.reads
                    if reads != calm { (calm, since) = (reads, ContinuousClock.now) }
                    return ContinuousClock.now - since > .seconds(2)
                }
                one.isSick.store(false, ordering: .relaxed)
                try await eventually("it has all again", within: .seconds(5)) {
                    one.acting.count == ShardNumber.count
                }
            }
        }
    }

    @Test func `a sick leader gives its shards to others`() async throws {
        try await withTestDatabase { database in
            let one = ShardNode(try await Self.join(database, "one"), database.store, works: [ScriptedWork()])
            let two = ShardNode(try await Self.join(database, "two"), database.store, works: [ScriptedWork()])
            try await Self.lead(one)
            try await ShardNode.running([one, two]) {
                try await eventually("all have their part") { Self.share([one, two]) }
                one.hears.store(false, ordering: .relaxed)
                one.standing.set(.sick(one.right, reason: "test"))
                _ = try await database.store.drain(one.right.incarnation, by: .node, reason: "test")
                one.standing.set(view: try await database.store.view())
                try await eventually("the other has all") { two.acting.count == ShardNumber.count }
            }
        }
    }

    @Test func `a round whose write is refused gives up that shard only`() async throws {
        try await withTestDatabase { database in
            let refused = Mutex<ShardTitle?>(nil)
            let work = ScriptedWork { shards, _, desk in
                guard let seven = shards.first(where: { $0.number == Self.seven }),
                    refused.withLock({ $0 }) == nil
                else { return StandingRound(rest: .milliseconds(50)) }
                refused.withLock { $0 = seven }
                desk.lost(seven)
                #expect(!desk.holds(seven))
                #expect(shards.filter { desk.holds($0) }.count == shards.count - 1)
                return StandingRound(rest: .milliseconds(50))
            }
            let one = ShardNode(try await Self.join(database, "one"), database.store, works: [work])
            try await Self.lead(one)
            try await ShardNode.running([one]) {
                try await eventually("it has it by a later epoch") {
                    guard let lost = refused.withLock({ $0 }) else { return false }
                    let now = one.runner.acting.first { $0.number == Self.seven }
                    return now.map { $0.epoch > lost.epoch } ?? false
                }
                #expect(work.cancelled == 0)
            }
        }
    }

    @Test func `loads are reported, and a node that is called begins at once`() async throws {
        try await withTestDatabase { database in
            let work = ScriptedWork { shards, _, _ in
                StandingRound(done: [Self.seven: 50], rest: .seconds(60))
            }
            var settings = ShardRunner.Settings()
            settings.rules.report = .milliseconds(100)
            settings.rules.halfLife = .milliseconds(200)
            let one = ShardNode(
                try await Self.join(database, "one"), database.store, works: [work], settings: settings)
            try await Self.lead(one)
            try await ShardNode.running([one]) {
                try await eventually("it works") { work.rounds > 0 }
                try await eventually("its load shows") {
                    work.calling.ring()
                    return try await Self.row(database.store).load > 10
                }
                #expect(try await Self.row(database.store, ShardNumber.all[8]).load == 0)
                try await eventually("it fades") { try await Self.row(database.store).load < 1 }
            }
        }
    }

    @Test func `a node with nothing to do asks nobody`() async throws {
        try await withTestDatabase { database in
            let one = ShardNode(try await Self.join(database, "one"), database.store, works: [ScriptedWork()])
            let two = ShardNode(try await Self.join(database, "two"), database.store, works: [ScriptedWork()])
            try await Self.lead(one)
            try await ShardNode.running([one, two]) {
                try await eventually("all have their part") { Self.share([one, two]) }
                var calm = two.runner.counts.reads
                var since = ContinuousClock.now
                try await eventually("it reads no more", within: .seconds(20)) {
                    let reads = two.runner.counts.reads
                    if reads != calm { (calm, since) = (reads, ContinuousClock.now) }
                    return ContinuousClock.now - since > .seconds(3)
                }
                #expect(two.runner.counts.reports == 0)
                #expect(two.runner.counts.takings <= 3)
            }
        }
    }
}
