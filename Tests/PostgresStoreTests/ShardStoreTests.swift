import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// The guards of docs/SHARDS.md, each with what it is there for.
@Suite struct ShardStoreTests {
    private static let seven = ShardNumber.all[7]

    private static func move(_ from: JoinedNode?, _ to: JoinedNode) -> ShardMove {
        ShardMove(
            number: Self.seven, from: from?.right.incarnation, to: to.right.incarnation, cause: .unassigned)
    }

    private static func lead(_ db: TestDatabase, _ node: JoinedNode, term: Int64 = 0) async throws
        -> LeaderRight
    {
        let lead = try #require(try await db.store.takeLead(LeadClaim(right: node.right, term: term)))
        return LeaderRight(right: node.right, term: lead.term)
    }

    private static func row(_ db: TestDatabase) async throws -> ShardRecord {
        let rows = try await db.store.shards()
        #expect(rows.map(\.number) == ShardNumber.all)
        return rows[7]
    }

    @Test func `a shard is assigned, taken, reported, handed over and taken by a higher epoch`() async throws
    {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let leader = try await Self.lead(db, one)
            #expect(try await Self.row(db).reason == "not assigned yet")
            #expect(try await db.store.assign([Self.move(nil, two)], by: leader) == [Self.seven])
            let asked = ShardTaking(number: Self.seven, after: nil)
            #expect(try await db.store.take([asked], by: one.right) == [])
            let first = try #require(try await db.store.take([asked], by: two.right).first)
            #expect(try await db.store.take([asked], by: two.right) == [])
            let report = ShardLoadReport(title: first, load: 2.5)
            #expect(try await db.store.report([report], by: two.right) == [first])
            #expect(try await db.store.report([report], by: one.right) == [])
            // It moves; nobody who lives is robbed.
            #expect(try await db.store.assign([Self.move(two, one)], by: leader) == [Self.seven])
            let next = ShardTaking(number: Self.seven, after: first.epoch)
            #expect(try await db.store.take([next], by: one.right) == [])
            #expect(try await db.store.release([first], by: one.right) == [])
            #expect(try await db.store.release([first], by: two.right) == [first])
            let row = try await Self.row(db)
            #expect(
                row.owner == nil && row.epoch == first.epoch && row.load == 2.5 && row.term == leader.term)
            let second = try #require(try await db.store.take([next], by: one.right).first)
            #expect(second.epoch > first.epoch)
            #expect(try await db.store.shards(of: two.right.incarnation, and: []) == [])
            #expect(
                try await db.store.shards(of: one.right.incarnation, and: []).map(\.owner) == [
                    one.right.incarnation
                ])
            try await db.store.pin(Self.seven, to: one.right.name)
            #expect(try await Self.row(db).pinned == one.right.name)
        }
    }

    @Test func `the dead own nothing and an old leader's word does not count`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let old = try await Self.lead(db, two)
            #expect(try await db.store.assign([Self.move(nil, two)], by: old) == [Self.seven])
            let asked = ShardTaking(number: Self.seven, after: nil)
            let title = try #require(try await db.store.take([asked], by: two.right).first)
            try await db.bury(two, by: one)
            #expect(try await db.store.report([ShardLoadReport(title: title, load: 9)], by: two.right) == [])
            #expect(try await db.store.release([title], by: two.right) == [])
            #expect(try await db.store.assign([Self.move(two, one)], by: old) == [])
            let new = try await Self.lead(db, one, term: old.term)
            // What somebody else changed meanwhile, and who is dead, is refused.
            #expect(try await db.store.assign([Self.move(nil, one)], by: new) == [])
            #expect(try await db.store.assign([Self.move(two, two)], by: new) == [])
            #expect(try await db.store.assign([Self.move(two, one)], by: new) == [Self.seven])
            let after = ShardTaking(number: Self.seven, after: title.epoch)
            let taken = try #require(try await db.store.take([after], by: one.right).first)
            #expect(taken.epoch > title.epoch)
            // The own one, given up without a release, by a new epoch.
            let again = ShardTaking(number: Self.seven, after: taken.epoch)
            let renewed = try #require(try await db.store.take([again], by: one.right).first)
            #expect(renewed.epoch > taken.epoch)
            #expect(try await db.store.release([taken], by: one.right) == [])
        }
    }

    @Test func `a taking that waited for the row does not rob who joined meanwhile`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let leader = try await Self.lead(db, one)
            #expect(try await db.store.assign([Self.move(nil, one)], by: leader) == [Self.seven])
            let other = try await db.session()
            let taken = try await other.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("select from flotilla.shard where number = 7 for update")
                async let taken = db.withOtherNode {
                    try await $0.take([ShardTaking(number: Self.seven, after: nil)], by: one.right)
                }
                try await db.waitForLockWaiters(1)
                // Its member row is newer than what the waiting statement sees of members.
                let joined = try await JoinedNode.join(db)
                _ = try await transaction.query(
                    """
                    update flotilla.shard set incarnation = \(joined.right.incarnation.rawValue), epoch = 1
                    where number = 7
                    """)
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await taken
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await other.close()
            #expect(taken == [])
        }
    }

    @Test func `a batch names each shard once`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let asked = ShardTaking(number: Self.seven, after: nil)
            await #expect(throws: StoreError.self) { try await db.store.take([asked, asked], by: one.right) }
        }
    }

    @Test func `an assignment, a release, a pin and a move are news, and nothing else is`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db, named: "one")
            let two = try await JoinedNode.join(db, named: "two")
            func news() async throws -> Int64 {
                guard case .alive(let news) = try await one.beat() else { return -1 }
                return news.shardNews
            }
            let leader = try await Self.lead(db, one)
            let start = try await news()
            #expect(try await db.store.assign([Self.move(nil, two)], by: leader) == [Self.seven])
            #expect(try await news() == start + 1)
            #expect(try await db.store.assign([Self.move(nil, one)], by: leader) == [])
            let asked = ShardTaking(number: Self.seven, after: nil)
            let title = try #require(try await db.store.take([asked], by: two.right).first)
            _ = try await db.store.report([ShardLoadReport(title: title, load: 1)], by: two.right)
            #expect(try await news() == start + 1)
            #expect(try await db.store.release([title], by: two.right) == [title])
            #expect(try await db.store.release([title], by: two.right) == [])
            #expect(try await news() == start + 2)
            try await db.store.pin(Self.seven, to: two.right.name)
            try await db.store.pin(Self.seven, to: two.right.name)
            #expect(try await news() == start + 3)
            // It is pinned elsewhere.
            #expect(try await db.store.move(Self.seven, to: one.right.incarnation, reason: "by me") == false)
            try await db.store.pin(Self.seven, to: nil)
            #expect(try await db.store.move(Self.seven, to: one.right.incarnation, reason: "by me"))
            #expect(try await db.store.move(Self.seven, to: one.right.incarnation, reason: "by me"))
            #expect(try await news() == start + 5)
            let row = try await Self.row(db)
            #expect(row.wanted == one.right.incarnation && row.reason == "by me")
            // What the leader planned before that is void.
            #expect(try await db.store.assign([Self.move(two, two)], by: leader) == [])
            try await db.bury(two, by: one)
            #expect(try await db.store.move(Self.seven, to: two.right.incarnation, reason: "late") == false)
        }
    }
}

/// The proof of the shard in what the reclaimer of staging writes.
@Suite struct ShardDepartureTests {
    private struct Scene {
        var one: JoinedNode
        var two: JoinedNode
        var departed: Incarnation
        var title: ShardTitle
        var leader: LeaderRight

        var number: ShardNumber { self.title.number }
    }

    /// A departure whose shard is the first node's.
    private static func scene(_ db: TestDatabase) async throws -> Scene {
        let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
        let gone = try await JoinedNode.join(db)
        try await db.bury(gone, by: two)
        let lead = try #require(try await db.store.takeLead(LeadClaim(right: two.right, term: 0)))
        let leader = LeaderRight(right: two.right, term: lead.term)
        let number = ShardNumber(of: gone.right.incarnation)
        let move = ShardMove(number: number, from: nil, to: one.right.incarnation, cause: .unassigned)
        #expect(try await db.store.assign([move], by: leader) == [number])
        let taken = try await db.store.take([ShardTaking(number: number, after: nil)], by: one.right)
        return Scene(
            one: one, two: two, departed: gone.right.incarnation, title: try #require(taken.first),
            leader: leader)
    }

    @Test func `only the owner of the shard clears a departure`() async throws {
        try await withTestDatabase { db in
            let scene = try await Self.scene(db)
            let (store, departed, title) = (db.store, scene.departed, scene.title)
            let old = ShardTitle(number: title.number, epoch: try #require(Epoch(rawValue: 1)))
            for (right, held) in [(scene.two.right, title), (scene.one.right, old)] {
                #expect(try await store.claimDeparture(of: departed, by: right, holding: held) == .lost)
                #expect(try await store.closeDeparture(of: departed, by: right, holding: held) == false)
            }
            #expect(try await store.departures(limit: 10).map(\.incarnation) == [departed])
            let right = scene.one.right
            #expect(try await store.claimDeparture(of: departed, by: right, holding: title) == .claimed)
            #expect(try await store.claimDeparture(of: departed, by: right, holding: title) == .claimed)
            // A program that knows no shards leaves it alone.
            #expect(try await store.claimDeparture(of: departed, by: scene.two.right) == false)
            #expect(try await store.closeDeparture(of: departed, by: right, holding: title))
            #expect(try await store.closeDeparture(of: departed, by: right, holding: title) == false)
            #expect(try await store.claimDeparture(of: departed, by: right, holding: title) == .cleared)
            #expect(try await store.departures(limit: 10).isEmpty)
        }
    }

    @Test func `a departure is not closed while something of it is left`() async throws {
        try await withTestDatabase { db in
            let scene = try await Self.scene(db)
            let store = db.store
            try await db.sql(
                """
                insert into flotilla.lease (kind, id, epoch, slot, incarnation)
                values ('test', 'a', 77, 1, \(scene.departed.rawValue))
                """)
            let right = scene.one.right
            #expect(
                try await store.closeDeparture(of: scene.departed, by: right, holding: scene.title) == false)
            try await db.sql("delete from flotilla.lease")
            #expect(try await store.closeDeparture(of: scene.departed, by: right, holding: scene.title))
        }
    }

    @Test func `a claim that waits while the shard is taken by another is refused`() async throws {
        try await withTestDatabase { db in
            let scene = try await Self.scene(db)
            let other = try await db.session()
            let claim = try await other.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    "select from flotilla.shard where number = \(scene.number.rawValue) for update")
                async let claim = db.withOtherNode {
                    try await $0.claimDeparture(
                        of: scene.departed, by: scene.one.right, holding: scene.title)
                }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(
                    """
                    update flotilla.shard set incarnation = \(scene.two.right.incarnation.rawValue), epoch = epoch + 1
                    where number = \(scene.number.rawValue)
                    """)
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await claim
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await other.close()
            #expect(claim == .lost)
        }
    }

    @Test func `whoever takes the shard waits for a write that has proved it`() async throws {
        try await withTestDatabase { db in
            let scene = try await Self.scene(db)
            let move = ShardMove(
                number: scene.number, from: scene.one.right.incarnation, to: scene.two.right.incarnation,
                cause: .unassigned)
            #expect(try await db.store.assign([move], by: scene.leader) == [scene.number])
            let other = try await db.session()
            let (isClosed, released) = try await other.transaction(deadline: .seconds(20)) { transaction in
                // The closing has proved the shard and stands before the departure's row.
                _ = try await transaction.query(
                    "select from flotilla.departed where incarnation = \(scene.departed.rawValue) for update")
                async let closed = db.withOtherNode {
                    try await $0.closeDeparture(
                        of: scene.departed, by: scene.one.right, holding: scene.title)
                }
                try await db.waitForLockWaiters(1)
                async let released = db.withOtherNode {
                    try await $0.release([scene.title], by: scene.one.right)
                }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answers = (try await closed, try await released)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            await other.close()
            #expect(isClosed && released == [scene.title])
        }
    }
}
