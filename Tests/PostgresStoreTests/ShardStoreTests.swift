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
}
