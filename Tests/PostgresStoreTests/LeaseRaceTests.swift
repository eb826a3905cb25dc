import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

private final class Flag: Sendable {
    let isSet = Atomic(false)
}

/// Two sessions at each point where one can hold the other up.
@Suite struct LeaseRaceTests {
    @Test func `an evicted node completes nothing before the sweep`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let title = try await db.lease(request("a"), by: two)
            try await db.bury(two, by: one)
            #expect(try await db.store.end([title], by: two.right) == [false])
            #expect(try await db.store.acquire([request("b")], by: two.right) == [.fenced])
            #expect(try await db.store.leases(LeaseQuery()).map(\.title) == [title])
            #expect(try await db.store.sweepDead(limit: 9, by: one.right).map(\.title) == [title])
            #expect(try await db.store.end([title], by: two.right) == [false])
        }
    }

    @Test func `an end that waits for a death in flight is fenced`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let title = try await db.lease(request("a"), by: two)
            let killer = try await db.session()
            let ended = try await killer.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    "select from flotilla.member where slot = \(two.right.slot.rawValue) for update")
                async let ended = db.withOtherNode { try await $0.end([title], by: two.right) }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(
                    """
                    update flotilla.member set status = 'dead', died_at = now()
                    where slot = \(two.right.slot.rawValue)
                    """)
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await ended
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await killer.close()
            #expect(ended == [false])
            #expect(try await db.store.sweepDead(limit: 9, by: one.right).map(\.title) == [title])
        }
    }

    @Test func `a death waits for the end in flight`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let title = try await db.lease(request("a"), by: two)
            try await db.trust(one)
            try await db.silence(two, milliseconds: 9_000)
            let (ended, killed) = try await db.holding("delete", of: ["a"]) { transaction in
                async let ended = db.withOtherNode { try await $0.end([title], by: two.right) }
                try await db.waitForLockWaiters(1)
                async let killed = db.withOtherNode {
                    try await $0.accuse(one.accusation(of: two, watched: .seconds(9)))
                }
                try await db.waitForLockWaiters(2)
                // The sweep finds nobody dead meanwhile.
                #expect(try await db.store.sweepDead(limit: 9, by: one.right) == [])
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await ended, try await killed)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            #expect(ended == [true])
            #expect(killed)
            #expect(try await db.store.sweepDead(limit: 9, by: one.right) == [])
        }
    }

    @Test func `a grant in flight when its node dies is swept`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await db.trust(one)
            try await db.silence(two, milliseconds: 9_000)
            let (granted, killed) = try await db.holding("insert", of: ["a"]) { transaction in
                async let granted = db.withOtherNode { try await $0.acquire([request("a")], by: two.right) }
                try await db.waitForLockWaiters(1)
                async let killed = db.withOtherNode {
                    try await $0.accuse(one.accusation(of: two, watched: .seconds(9)))
                }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await granted, try await killed)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            #expect(granted.first?.epoch != nil)
            #expect(killed)
            let swept = try await db.store.sweepDead(limit: 9, by: one.right)
            #expect(swept.map(\.title.epoch) == granted.compactMap(\.epoch))
        }
    }

    @Test func `of an end and a sweep of the overdue one wins`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            for isEndFirst in [true, false] {
                let title = try await db.lease(request("a", deadline: .seconds(1)), by: two)
                let (ended, swept) = try await db.holding("delete", of: ["a"]) { transaction in
                    let end: @Sendable () async throws -> [Bool] = {
                        try await db.withOtherNode { try await $0.end([title], by: two.right) }
                    }
                    let sweep: @Sendable () async throws -> [LeaseTitle] = {
                        try await db.withOtherNode { try await $0.sweepOverdue([title], by: one.right) }
                    }
                    if isEndFirst {
                        async let ended = end()
                        try await db.waitForLockWaiters(1)
                        let swept = try await sweep()  // Skips what is locked.
                        _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                        let answers = (try await ended, swept)
                        _ = try await transaction.query(PostgresStatement("begin").unprepared())
                        return answers
                    }
                    async let swept = sweep()
                    try await db.waitForLockWaiters(1)
                    async let ended = end()
                    try await db.waitForLockWaiters(2)
                    _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                    let answers = (try await ended, try await swept)
                    _ = try await transaction.query(PostgresStatement("begin").unprepared())
                    return answers
                }
                #expect(ended == [isEndFirst])
                #expect(swept == (isEndFirst ? [] : [title]))
            }
        }
    }

    @Test func `an operator and the holder never both end a lease`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let title = try await db.lease(request("a"), by: node)
            let (forced, ended) = try await db.holding("delete", of: ["a"]) { transaction in
                async let forced = db.withOtherNode { try await $0.forceEnd(title) }
                try await db.waitForLockWaiters(1)
                async let ended = db.withOtherNode { try await $0.end([title], by: node.right) }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await forced, try await ended)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            #expect(forced?.title == title)
            #expect(ended == [false])
        }
    }

    @Test func `of two that ask at the same moment one gets it`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let (first, second) = try await db.holding("insert", of: ["z"]) { transaction in
                // The first one has written `a` and stands at `z`.
                async let first = db.withOtherNode {
                    try await $0.acquire([request("a"), request("z")], by: one.right)
                }
                try await db.waitForLockWaiters(1)
                async let second = db.withOtherNode {
                    try await $0.acquire([request("a"), request("b")], by: two.right)
                }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await first, try await second)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            #expect(first.allSatisfy { $0.epoch != nil })
            #expect(second[0] == .taken)
            #expect(second[1].epoch != nil)
        }
    }

    /// Held between the number and the row, as by another node's row that rolls back, or a process not scheduled.
    @Test func `nobody comes and goes between a grant's number and its row`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let gone = Flag()
            let (slow, quick) = try await db.holding("insert", of: ["a"], by: one) { transaction in
                async let slow = db.withOtherNode { try await $0.acquire([request("a")], by: one.right) }
                try await db.waitForLockWaiters(1)
                async let quick = db.withOtherNode { store in
                    let answers = try await store.acquire([request("a")], by: two.right)
                    if let epoch = answers[0].epoch {
                        let title = LeaseTitle(subject: try subject("a"), epoch: epoch)
                        #expect(try await store.end([title], by: two.right) == [true])
                    }
                    gone.isSet.store(true, ordering: .releasing)
                    return answers
                }
                try await eventually {
                    if gone.isSet.load(ordering: .acquiring) { return true }
                    return try await db.number(
                        """
                        select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock'
                        """) >= 2
                }
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (try await slow, try await quick)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            let late = try #require(slow[0].epoch)
            if let early = quick[0].epoch { #expect(early < late, "overtaken") }
            #expect(quick == [.taken])
        }
    }

    @Test func `a batch beyond one statement's turns is granted`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let answers = try await db.store.acquire((0..<450).map { try request("n\($0)") }, by: node.right)
            #expect(Set(answers.compactMap(\.epoch)).count == 450)
            let again = try await db.store.acquire(
                (300..<600).map { try request("n\($0)", limit: "x", slots: 100) }, by: node.right)
            #expect(again.prefix(150).allSatisfy { $0 == .taken })
            #expect(again.compactMap(\.epoch).count == 100)
        }
    }

    @Test func `a circle of waits ends with one that did nothing and says so`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let outcomes = try await db.holding("insert", of: ["b", "d"]) { transaction in
                let ask:
                    @Sendable ([LeaseRequest], JoinedNode) async throws -> Result<[LeaseAnswer], StoreError> =
                        {
                            requests, node in
                            try await db.withOtherNode { store in
                                do throws(StoreError) {
                                    return .success(try await store.acquire(requests, by: node.right))
                                } catch {
                                    return .failure(error)
                                }
                            }
                        }
                async let first = ask([request("a", order: "x"), request("b", order: "y")], one)
                async let second = ask([request("c", order: "y"), request("d", order: "x")], two)
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = [try await first, try await second]
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            let circles = outcomes.count {
                if case .failure(.refused(LeaseCircle.sqlState, _)) = $0 { true } else { false }
            }
            let granted = outcomes.compactMap { try? $0.get() }.flatMap { $0 }.compactMap(\.epoch)
            #expect(circles == 1)
            #expect(granted.count == 2)
            #expect(try await db.number("select count(*) from flotilla.lease") == 2)
        }
    }

    @Test func `two sweepers share the dead and nothing is swept twice`() async throws {
        try await withTestDatabase { db in
            let (one, two, three) = (
                try await JoinedNode.join(db), try await JoinedNode.join(db), try await JoinedNode.join(db)
            )
            _ = try await db.store.acquire((0..<200).map { try request("d\($0)") }, by: three.right)
            try await db.bury(three, by: one)
            let swept = try await withThrowingTaskGroup(of: [LeaseRecord].self) { group in
                for node in [one, two, one, two] {
                    group.addTask {
                        try await db.withOtherNode { store in
                            var all: [LeaseRecord] = []
                            while true {
                                let some = try await store.sweepDead(limit: 7, by: node.right)
                                if some.isEmpty { return all }
                                all += some
                            }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(swept.count == 200)
            #expect(Set(swept.map(\.title)).count == 200)
        }
    }
}
