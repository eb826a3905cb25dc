import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct AccuseTests {
    /// Sessions that hold the node's lock: the server hears of a closed connection a moment later.
    private static func holders(of node: JoinedNode) -> PostgresStatement {
        """
        select count(*) from pg_locks l join pg_database d on d.oid = l.database
        where d.datname = current_database() and locktype = 'advisory'
          and objid::bigint = \(node.right.incarnation.rawValue & 0xFFFF_FFFF)
        """
    }

    @Test func `a crashed node dies after the fast window and a held lock protects it`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            try await db.trust(one)
            try await db.silence(two, milliseconds: 1_000)
            let fast = one.accusation(of: two, watched: .milliseconds(600))
            #expect(try await db.store.accuse(fast) == false)
            try await two.dropLines()
            try await eventually("the lock is gone") { try await db.store.accuse(fast) }
            #expect(try await db.store.departures(limit: 9).map(\.reason) == ["crashed"])
            #expect(try await db.store.view().version == 3)
            #expect(try await db.store.accuse(fast) == false)
        }
    }

    /// Migrations and the turns of leases have two keys.
    @Test func `a lock with the same number in two keys is no sign of life`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let session = try await db.session()
            let number = two.right.incarnation.rawValue
            _ = try await session.query(
                "select pg_advisory_lock(\(Int32(number >> 32)), \(Int32(number & 0xFFFF_FFFF)))")
            try await db.trust(one)
            try await db.silence(two, milliseconds: 1_000)
            try await two.dropLines()
            try await eventually("it is taken for dead") {
                try await db.trust(one)
                return try await db.store.accuse(one.accusation(of: two, watched: .milliseconds(600)))
            }
            await session.close()
        }
    }

    @Test func `one killed backend is no death`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            let holders = Self.holders(of: two)
            #expect(try await db.number(holders) == 2)
            try await db.sql(
                """
                select pg_terminate_backend(pid) from pg_locks l join pg_database d on d.oid = l.database
                where d.datname = current_database() and locktype = 'advisory'
                  and objid::bigint = \(two.right.incarnation.rawValue & 0xFFFF_FFFF) limit 1
                """)
            try await eventually { try await db.number(holders) == 1 }
            try await db.trust(one)
            try await db.silence(two, milliseconds: 1_000)
            #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(1))) == false)
        }
    }

    @Test func `a silent node dies after the slow window although its lock is held`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            try await db.trust(one)
            try await db.silence(two, milliseconds: 4_000)
            #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(6))) == false)
            try await db.silence(two, milliseconds: 6_000)
            #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(4))) == false)
            #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(5))))
            #expect(try await two.beat() == .dead)
        }
    }

    @Test func `a moving heartbeat cannot be accused`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            try await two.beat()
            try await db.trust(one)
            try await db.silence(two, milliseconds: 60_000)
            #expect(
                try await db.store.accuse(one.accusation(of: two, heartbeats: 0, watched: .seconds(9)))
                    == false)
            #expect(try await db.store.accuse(one.accusation(of: two, heartbeats: 1, watched: .seconds(9))))
        }
    }

    @Test func `the first node that is back after an outage cannot accuse`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            try await db.trust(one)
            for node in [one, two] { try await db.silence(node, milliseconds: 60_000) }
            guard case .alive(let news) = try await one.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(!news.chainUnbroken)
            try await two.dropLines()
            #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(60))) == false)
        }
    }

    @Test func `the first node that is back after a short outage cannot accuse`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            try await db.trust(one)
            // Longer than the fast window, shorter than anybody would call an outage; all locks went with it.
            for node in [one, two] { try await db.silence(node, milliseconds: 1_000) }
            try await two.dropLines()
            try await one.beat()
            #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(1))) == false)
        }
    }

    @Test func `a heartbeat in the future counts as old`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db)
            let accusation = one.accusation(of: two, watched: .seconds(9))
            try await db.trust(one)
            try await db.silence(one, milliseconds: -60_000)
            try await db.silence(two, milliseconds: 60_000)
            #expect(try await db.store.accuse(accusation) == false)
            try await db.trust(one)
            try await db.silence(two, milliseconds: -60_000)
            #expect(try await db.store.accuse(accusation))
        }
    }

    @Test func `a clock that was set back breaks the chain`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            try await db.trust(one)
            _ = try await one.beat()
            guard case .alive(let first) = try await one.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(first.chainUnbroken)
            try await db.silence(one, milliseconds: -60_000)
            guard case .alive(let second) = try await one.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(!second.chainUnbroken)
        }
    }

    @Test func `the first heartbeat on a new line starts a new chain, however short the gap was`()
        async throws
    {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            _ = try await one.beat()
            guard case .alive(let unbroken) = try await one.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(unbroken.chainUnbroken)
            try await one.dropLines()
            try await one.reopenLine()
            guard case .alive(let broken) = try await one.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(!broken.chainUnbroken)
        }
    }

    @Test func `an accuser holds its lock on the session of its last heartbeat`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db, holders: 0)
            _ = try await one.beat()
            try await db.trust(one)
            try await db.silence(two, milliseconds: 1_000)
            // Every connection of the accuser is cut, and one is opened again; it has not beaten on it.
            try await one.dropLines()
            try await eventually("its lock is gone") { try await db.number(Self.holders(of: one)) == 0 }
            let accusation = one.accusation(of: two, watched: .milliseconds(700))
            #expect(try await db.store.accuse(accusation) == false)
            try await one.reopenLine()
            #expect(try await db.store.accuse(accusation) == false)
            _ = try await one.beat()
            try await db.trust(one)
            #expect(try await db.store.accuse(accusation))
        }
    }

    @Test func `a lock in another database is no sign of life`() async throws {
        try await withTestDatabase { other in
            try await withTestDatabase { db in
                let one = try await JoinedNode.join(db)
                let two = try await JoinedNode.join(db, holders: 0)
                let line = try other.lines.open(for: two.right.incarnation, within: .seconds(5))
                defer { line.close() }
                try await db.trust(one)
                try await db.silence(two, milliseconds: 1_000)
                #expect(try await db.store.accuse(one.accusation(of: two, watched: .seconds(1))))
            }
        }
    }

    @Test func `a joiner evicts only who stands still for the slow window`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            try await db.silence(one, milliseconds: 4_000)
            #expect(
                try await db.store.accuse(asJoiner: one.accusation(of: one, watched: .seconds(9))) == false)
            try await db.silence(one, milliseconds: 6_000)
            #expect(
                try await db.store.accuse(asJoiner: one.accusation(of: one, watched: .seconds(4))) == false)
            // Not before the server itself is up for the slow window.
            try await eventually {
                try await db.store.accuse(asJoiner: one.accusation(of: one, watched: .seconds(9)))
            }
        }
    }

    @Test func `an accusation waits for the decision in flight`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let two = try await JoinedNode.join(db, holders: 0)
            let account = try await db.account("alice")
            let publication = try two.publication("a/b", account)
            let blocker = try await db.session()
            let answers = try await blocker.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    """
                    insert into flotilla.name (
                        account_id, path, operation, incarnation, state, account_name, node, protocol, client,
                        started_at)
                    values (\(account.id.rawValue), 'a/b', gen_random_uuid(), 1, 'reserved', 'x', 'x', 'x', 'x', now())
                    """)
                async let decision = db.withOtherNode { try await $0.decide([publication], by: two.right) }
                try await db.waitForLockWaiters(1)
                try await db.trust(one)
                try await db.silence(two, milliseconds: 9_000)
                async let death = db.withOtherNode {
                    try await $0.accuse(one.accusation(of: two, watched: .seconds(9)))
                }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await decision, try await death)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            await blocker.close()
            #expect(answers.0 == [.decided])
            #expect(answers.1)
            #expect(try await db.store.unfinished(of: two.right.incarnation, limit: 9).count == 1)
        }
    }

    @Test func `a decision that waits for a death in flight is fenced`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let account = try await db.account("alice")
            let publication = try node.publication("a", account)
            let killer = try await db.session()
            async let answer = killer.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("select from flotilla.member for update")
                _ = try await transaction.query("update flotilla.member set status = 'dead', died_at = now()")
                try await db.waitForLockWaiters(1)
            }
            try await eventually {
                try await db.number(
                    "select count(*) from pg_stat_activity where query like 'update flotilla.member set status%'"
                ) > 0
            }
            #expect(
                try await db.withOtherNode { try await $0.decide([publication], by: node.right) } == [.fenced]
            )
            try await answer
            await killer.close()
        }
    }

    @Test func `a death is counted although others change the cluster's row meanwhile`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let other = try await db.session()
            async let left = other.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("update flotilla.cluster set view_version = view_version + 1")
                try await db.waitForLockWaiters(1)
            }
            try await eventually {
                try await db.number(
                    "select count(*) from pg_stat_activity where query like 'update flotilla.cluster set view%'"
                ) > 0
            }
            #expect(try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation))
            try await left
            await other.close()
            #expect(try await db.store.view().version == 3)
        }
    }

    @Test func `the owner of a private database buries whose lock is gone`() async throws {
        try await withTestDatabase { db in
            _ = try await JoinedNode.join(db)
            _ = try await JoinedNode.join(db, holders: 0)
            #expect(try await db.store.buryAll(reason: "restart") == 1)
            #expect(try await db.store.departures(limit: 9).map(\.slot) == [Slot(2)])
            #expect(try await db.store.buryAll(reason: "restart") == 0)
        }
    }

    @Test func `a departure is cleared by one live node and closed when nothing is left`() async throws {
        try await withTestDatabase { db in
            let (one, two, three) = (
                try await JoinedNode.join(db), try await JoinedNode.join(db), try await JoinedNode.join(db)
            )
            let account = try await db.account("alice")
            let departed = three.right.incarnation
            #expect(
                try await db.store.reserve([path("a")], for: three.operation(account), by: three.right)
                    == .decided)
            #expect(try await db.store.leave(slot: three.right.slot, incarnation: departed))
            #expect(try await db.store.claimDeparture(of: departed, by: one.right))
            #expect(try await db.store.claimDeparture(of: departed, by: two.right) == false)
            #expect(try await db.store.claimDeparture(of: departed, by: three.right) == false)
            try await db.store.closeDeparture(of: departed, by: one.right)
            #expect(try await db.store.departures(limit: 9).count == 1)
            #expect(try await db.store.abandonAll(of: departed) == 1)
            #expect(try await db.store.leave(slot: one.right.slot, incarnation: one.right.incarnation))
            #expect(try await db.store.claimDeparture(of: departed, by: two.right))
            try await db.store.closeDeparture(of: departed, by: two.right)
            #expect(try await db.store.departures(limit: 9).map(\.incarnation) == [one.right.incarnation])
            let lead = try #require(try await db.store.takeLead(LeadClaim(right: two.right, term: 0)))
            let leader = LeaderRight(right: two.right, term: lead.term)
            #expect(try await db.store.prune(olderThan: .zero, by: leader) == 1)
            #expect(try await db.store.view().members.count == 2)
        }
    }

    @Test func `a live node that does not come to an end keeps a departure for a while only`() async throws {
        let times = MembershipTimes(claimWindow: .milliseconds(200))
        try await withTestDatabase(times: times) { db in
            let (one, two, three) = (
                try await JoinedNode.join(db), try await JoinedNode.join(db), try await JoinedNode.join(db)
            )
            let departed = three.right.incarnation
            #expect(try await db.store.leave(slot: three.right.slot, incarnation: departed))
            #expect(try await db.store.claimDeparture(of: departed, by: one.right))
            #expect(try await db.store.claimDeparture(of: departed, by: two.right) == false)
            try await eventually("the claim gets old") {
                // Asking again makes it no younger.
                _ = try await db.store.claimDeparture(of: departed, by: one.right)
                return try await db.store.claimDeparture(of: departed, by: two.right)
            }
            try await db.store.closeDeparture(of: departed, by: one.right)
            #expect(try await db.store.departures(limit: 9).count == 1)
            try await db.store.closeDeparture(of: departed, by: two.right)
            #expect(try await db.store.departures(limit: 9).isEmpty)
        }
    }
}
