import ClusterTestKit
import PostgresDriver
import Testing

/// A queue with the mistakes that ours avoids, as small as shows them: what the tests of ours look for goes wrong here.
@Suite struct NaiveQueueTests {
    private static func withNaiveQueue(_ body: (TestDatabase) async throws -> Void) async throws {
        try await withTestDatabase(migrated: false) { db in
            for statement in Self.schema { try await db.sql(statement) }
            try await body(db)
        }
    }

    private static let schema: [PostgresStatement] = [
        "create schema naive",
        "create table naive.ready (job bigint primary key)",
        "create table naive.claim (job bigint primary key, node int not null)",
        // Counts the claims of its own snapshot: those who claim at the same moment do not see one another.
        """
        create function naive.claim_counted(n int, most int) returns bigint language sql as $$
            with picked as materialized (
                select job from naive.ready where (select count(*) from naive.claim) < most
                order by job limit 1 for update skip locked
            ), gone as (delete from naive.ready where job = any (array(select job from picked)) returning job)
            insert into naive.claim (job, node) select job, n from gone returning job $$
        """,
        // Checks the job, and not whose attempt it is.
        """
        create function naive.finish(j bigint) returns boolean language sql as $$
            with l as (delete from naive.claim where job = j returning 1) select exists (select from l) $$
        """,
    ]

    /// See `JobLimitTests`, `twenty claimers never exceed limits that change under them`.
    @Test func `claims that are counted exceed their limit`() async throws {
        try await Self.withNaiveQueue { db in
            try await db.sql("insert into naive.ready select generate_series(1, 9)")
            let session = try await db.session()
            try await session.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("lock table naive.claim in share mode")
                async let first = db.sql("select naive.claim_counted(1, 1)")
                async let second = db.sql("select naive.claim_counted(2, 1)")
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                _ = try await (first, second)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
            }
            await session.close()
            #expect(try await db.number("select count(*) from naive.claim") == 2)
        }
    }

    /// See `JobTests`, `a draining node claims nothing and may end what it has; a dead one may do neither`.
    @Test func `a node that was evicted ends the attempt of another one`() async throws {
        try await Self.withNaiveQueue { db in
            try await db.sql("insert into naive.claim values (1, 1)")
            // Swept, and claimed by node 2; then node 1 wakes.
            try await db.sql("update naive.claim set node = 2")
            #expect(try await db.sql("select naive.finish(1)").exactlyOne()[0, as: Bool.self])
        }
    }
}
