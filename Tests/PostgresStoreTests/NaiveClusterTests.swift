import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// The races of the other suites against the naive statements: each must go wrong.
@Suite struct NaiveClusterTests {
    private static func withNaiveCluster(_ body: (TestDatabase) async throws -> Void) async throws {
        try await withTestDatabase { db in
            try await NaiveCluster.install(db)
            try await body(db)
        }
    }

    /// Members 1 and 2; 1 may accuse, 2 has been silent for so long.
    private static func twoMembers(_ db: TestDatabase, silent: String) async throws {
        try await db.sql(
            """
            insert into naive.member (node, incarnation, status, hb_at, up_since) values
                (1, 101, 'active', clock_timestamp() + interval '1 s', clock_timestamp() - interval '1 min'),
                (2, 102, 'active', clock_timestamp() - interval '\(unescaped: silent)', clock_timestamp())
            """)
    }

    private static func bool(_ db: TestDatabase, _ statement: PostgresStatement) async throws -> Bool {
        try await db.sql(statement).exactlyOne()[0, as: Bool.self]
    }

    private static let accuse: PostgresStatement =
        "select naive.declare_dead(1, 2, 102, 0, interval '500 ms', interval '5 s')"

    /// See `LeaseRaceTests`, `an evicted node completes nothing before the sweep`.
    @Test func `an evicted node completes and decides before the sweep`() async throws {
        try await Self.withNaiveCluster { db in
            try await Self.twoMembers(db, silent: "9 s")
            try await db.sql(
                "insert into naive.lease (job, epoch, node, incarnation) values (1, 1, 2, 102), (2, 1, 2, 102)"
            )
            #expect(try await Self.bool(db, Self.accuse))
            #expect(try await Self.bool(db, "select naive.complete(1, 1)"))
            #expect(try await Self.bool(db, "select naive.decide(2, 1, 'staged', 'dest')"))
        }
    }

    /// See `LeaseRaceTests`, `nobody comes and goes between a grant's number and its row`.
    @Test func `a grant with a higher number comes and goes before one with a lower`() async throws {
        try await Self.withNaiveCluster { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let (late, early) = try await db.holding("insert", of: ["a"], by: one) { transaction in
                async let late = db.number("select naive.acquire('a', \(one.right.incarnation.rawValue))")
                try await db.waitForLockWaiters(1)
                let early = try await db.number(
                    "select naive.acquire('a', \(two.right.incarnation.rawValue))")
                try await db.sql("delete from flotilla.lease where id = 'a'")
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let numbers = (try await late, early)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return numbers
            }
            #expect(late < early)
        }
    }

    /// See `AccuseTests`, `an accusation waits for the decision in flight`.
    @Test func `a decision waits on an index while its node dies and its staging is reclaimed`() async throws
    {
        try await Self.withNaiveCluster { db in
            try await Self.twoMembers(db, silent: "9 s")
            try await db.sql("insert into naive.lease (job, epoch, node, incarnation) values (1, 1, 2, 102)")
            let blocker = try await db.session()
            let decided = try await blocker.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("insert into naive.publish values ('dest', 'other', 9, 9)")
                async let decided = Self.bool(db, "select naive.decide(1, 1, 'staged', 'dest')")
                try await db.waitForLockWaiters(1)
                // The death waits for nobody, and nothing names the staged file: it is removed.
                #expect(try await Self.bool(db, Self.accuse))
                #expect(try await db.number("select naive.sweep()") == 0)
                #expect(
                    try await db.number("select count(*) from naive.publish where staged = 'staged'") == 0)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answer = try await decided
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await blocker.close()
            #expect(decided)
            #expect(try await db.number("select count(*) from naive.publish where staged = 'staged'") == 1)
        }
    }

    /// See `JoinTests`, `of thirty joiners at once exactly twenty get a slot`.
    @Test func `three joiners make twenty-two members of twenty`() async throws {
        try await Self.withNaiveCluster { db in
            try await db.sql(
                "insert into naive.member (node, incarnation, status) select n, n, 'active' from generate_series(1, 19) n"
            )
            try await db.sql(
                """
                create function naive.hold() returns trigger language plpgsql as $$
                begin perform pg_advisory_xact_lock_shared(77, 2); return new; end $$
                """)
            try await db.sql(
                "create trigger hold before insert on naive.member for each row execute function naive.hold()"
            )
            let session = try await db.session()
            try await session.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("select pg_advisory_xact_lock(77, 2)")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 20...22 {
                        group.addTask {
                            let joiner = try await db.session()
                            _ = try await joiner.query(
                                "select naive.join_counted(\(Int32(number)), \(number), 20)")
                            await joiner.close()
                        }
                    }
                    try await db.waitForLockWaiters(3)
                    _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                    try await group.waitForAll()
                }
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
            }
            await session.close()
            #expect(try await db.number("select count(*) from naive.member") == 22)
        }
    }

    /// See `JoinTests`, `a live name stays taken when the database's clock is stepped`.
    @Test func `a live name is taken after the clock was stepped`() async throws {
        try await Self.withNaiveCluster { db in
            try await db.sql("select naive.join(1, 101, interval '5 s')")
            #expect(try await db.number("select coalesce(naive.join(1, 102, interval '5 s'), 0)") == 0)
            try await db.sql("update naive.member set hb_at = hb_at - interval '1 min'")
            #expect(try await db.number("select naive.join(1, 103, interval '5 s')") == 103)
        }
    }

    /// See `LeaseTests`, `a stepped database clock takes nothing from a living holder`.
    @Test func `a live holder is swept after the clock was stepped`() async throws {
        try await Self.withNaiveCluster { db in
            try await Self.twoMembers(db, silent: "0 s")
            try await db.sql("insert into naive.lease (job, epoch, node, incarnation) values (1, 1, 2, 102)")
            #expect(try await db.number("select naive.sweep()") == 0)
            try await db.sql("update naive.lease set deadline_at = deadline_at - interval '1 min'")
            #expect(try await db.number("select naive.sweep()") == 1)
        }
    }

    /// See `AccuseTests`, `the first node that is back after a short outage cannot accuse`.
    @Test func `the first node back after a restart evicts the second`() async throws {
        try await Self.withNaiveCluster { db in
            try await Self.twoMembers(db, silent: "1 s")
            try await db.sql("update naive.member set hb_at = clock_timestamp() - interval '1 s'")
            // A gap of 2 s: the outage of a second has not broken the chain, and with the server all locks went.
            try await db.sql("select naive.beat(1, 101, interval '2 s')")
            #expect(try await Self.bool(db, Self.accuse))
        }
    }

    /// See `AccuseTests`, `a lock in another database is no sign of life`.
    @Test func `a lock in another database is taken for a sign of life`() async throws {
        try await withTestDatabase { other in
            try await Self.withNaiveCluster { db in
                try await Self.twoMembers(db, silent: "1 s")
                let incarnation = try #require(Incarnation(rawValue: 102))
                let line = try other.lines.open(for: incarnation, within: .seconds(5))
                #expect(try await Self.bool(db, Self.accuse) == false)
                line.close()
                try await eventually { try await Self.bool(db, Self.accuse) }
            }
        }
    }
}
