import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct FeedTests {
    @Test func `an open transaction hides what is younger, so nothing appears behind the reader`()
        async throws
    {
        try await withTestDatabase { database in
            let node = try await JoinedNode.join(database)
            let topics = Set(FeedEntry.Topic.allCases)
            let start = try await database.store.feedEnds().newest
            let late = try await database.session()
            _ = try await late.query("begin")
            _ = try await late.query(
                "insert into flotilla.feed (topic, change, subject) values ('lease', 'late', 'x')")
            _ = try await database.store.setAttributes(["n": "1"], of: node.right.incarnation)
            #expect(try await database.store.feed(after: start, topics: topics, limit: 9).entries.isEmpty)
            #expect(try await database.store.feedEnds().newest == start)
            _ = try await late.query("commit")
            let entries = try await database.store.feed(after: start, topics: topics, limit: 9).entries
            #expect(entries.map(\.change) == ["late", "attributes set"])
            #expect(
                try await database.store.feed(after: start, topics: [.lease], limit: 9).entries.count == 1)
            #expect(try await database.store.feed(after: start, topics: topics, limit: 1).entries.count == 1)
            await late.close()
            try await node.dropLines()
        }
    }

    @Test func `who asks for a drain while another drains answers what that one left`() async throws {
        try await withTestDatabase { database in
            let node = try await JoinedNode.join(database)
            let incarnation = node.right.incarnation
            let other = try await database.session()
            for (change, expected) in [
                ("status = 'draining', drain_by = 'operator', drain_reason = 'first'", MemberStatus.draining),
                ("status = 'dead', died_at = clock_timestamp()", nil),
            ] {
                _ = try await other.query("begin")
                _ = try await other.execute(
                    script: "update flotilla.member set \(change) where incarnation = \(incarnation.rawValue)"
                )
                async let answer = database.store.drain(incarnation, by: .operator, reason: "second")
                try await database.waitForLockWaiters(1)
                _ = try await other.query("commit")
                let member = try await answer
                #expect(member?.status == expected && member?.drain?.reason != "second")
            }
            await other.close()
            try await node.dropLines()
        }
    }

    @Test func `attributes that an operator set come back with the name`() async throws {
        try await withTestDatabase { database in
            let node = try await JoinedNode.join(database)
            _ = try await database.store.setAttributes(["rack": "7"], of: node.right.incarnation)
            _ = try await database.store.drain(node.right.incarnation, by: .operator, reason: "x")
            #expect(try await database.store.evict(node.right.incarnation, reason: "test"))
            #expect(try await !database.store.evict(node.right.incarnation, reason: "test"))
            #expect(try await database.store.drain(node.right.incarnation, by: .operator, reason: "x") == nil)
            #expect(try await database.store.setAttributes(["a": "b"], of: node.right.incarnation) == nil)
            try await node.dropLines()
            let back = try await JoinedNode.join(database)
            let member = try #require(try await database.store.view().member(named: back.right.name))
            #expect(member.attributes["rack"] == "7" && member.status == .active && member.drain == nil)
            try await back.dropLines()
        }
    }

    @Test func `what a restore brought from another server leaves the feed, and what is old`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let stranger: PostgresStatement = """
                insert into flotilla.feed (xid, topic, change, subject)
                values ((pg_snapshot_xmax(pg_current_snapshot())::text::int8 + 1000000)::text::xid8, 'lease', 'old', 'x')
                """
            let strangers: PostgresStatement = "select count(*) from flotilla.feed where change = 'old'"
            try await db.sql(stranger)
            let own = try await db.number("select count(*) from flotilla.feed where change = 'joined'")
            let lead = try #require(try await db.store.takeLead(LeadClaim(right: node.right, term: 0)))
            #expect(try await db.number(strangers) == 0)
            #expect(try await db.number("select count(*) from flotilla.feed where change = 'joined'") == own)
            #expect(
                try await db.number(
                    "select (detail ->> 'term')::int8 from flotilla.feed where change = 'leads'") == 1)

            try await db.sql(stranger)
            try await db.sql(
                """
                insert into flotilla.feed (topic, change, subject)
                select 'lease', 'n', '' from generate_series(1, 10050)
                """)
            let leader = LeaderRight(right: node.right, term: lead.term)
            _ = try await db.store.prune(olderThan: .seconds(60), by: leader)
            #expect(try await db.number(strangers) == 0)
            // The stranger was one of the newest.
            #expect(try await db.number("select count(*) from flotilla.feed") == 9_999)
            #expect(try await db.number("select count(*) from flotilla.feed where change <> 'n'") == 0)
            try await node.dropLines()
        }
    }
}
