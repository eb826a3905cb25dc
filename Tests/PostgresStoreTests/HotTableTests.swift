import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// Hot tables stay small while somebody's report keeps vacuum from its work.
@Suite struct HotTableTests {
    /// A few more than from which on a table is written anew.
    private static let enough = 2_400

    @Test func `dead rows go although an old snapshot keeps vacuum from them`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let report = try await db.session()
            let snapshot: PostgresStatement = "begin isolation level repeatable read"
            try await report.transaction(deadline: .seconds(60), begin: snapshot) { transaction in
                _ = try await transaction.query("set local idle_in_transaction_session_timeout = 0")
                _ = try await transaction.query("select count(*) from flotilla.job")
                try await Self.churn(db, by: node)
                let waiting = try await db.enqueue(try spec())
                let held = try await Self.held(db, by: node, besides: waiting)
                try await db.sql("vacuum flotilla.ready")
                try await db.sql("vacuum flotilla.claim")
                #expect(try await db.tuples("ready").dead >= Self.enough, "the report holds nothing back")
                #expect(try await db.store.renewHotTables().renewed == 2)

                #expect(try await db.tuples("ready") == Tuples(live: 0, dead: 0))
                #expect(try await db.tuples("claim") == Tuples(live: 2, dead: 0))
                #expect(try await db.finish(held, by: node) == [.accepted, .accepted])
                #expect(try await db.store.renewHotTables().renewed == 0)
            }
            await report.close()
            try await db.expectNoFaults()
        }
    }

    @Test func `a table that somebody reads, or that has many rows, is left alone`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let report = try await db.session()
            try await report.transaction(deadline: .seconds(60)) { transaction in
                _ = try await transaction.query("set local idle_in_transaction_session_timeout = 0")
                _ = try await transaction.query("select count(*) from flotilla.ready")
                _ = try await transaction.query("select count(*) from flotilla.claim")
                try await Self.churn(db, by: node)
                #expect(try await db.store.renewHotTables().renewed == 0)
            }
            await report.close()
            try await db.enqueue(Array(repeating: try spec(), count: 1_000))
            try await db.enqueue(Array(repeating: try spec(), count: 1_000))
            try await db.enqueue(try spec())
            // The claims have few.
            #expect(try await db.store.renewHotTables().renewed == 1)
            #expect(try await db.number("select count(*) from flotilla.ready") == 2_001)
            try await db.expectNoFaults()
        }
    }

    @Test func `nothing is lost or doubled while tables are written anew under jobs that come and go`()
        async throws
    {
        try await withTestDatabase { db in
            let nodes = [try await JoinedNode.join(db), try await JoinedNode.join(db)]
            let ended = Shared(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for node in nodes {
                    group.addTask {
                        for _ in 0..<60 {
                            try await db.enqueue(Array(repeating: try spec(), count: 40))
                            let jobs = try await db.claim(40, by: node)
                            let answers = try await db.finish(jobs.map(\.title), by: node)
                            #expect(answers.allSatisfy { $0 == .accepted })
                            ended.change { $0 += answers.count }
                        }
                    }
                }
                // As often as can be: without a look at how much there is to gain.
                group.addTask {
                    for _ in 0..<150 {
                        for table in ["ready", "claim"] {
                            _ = try await db.sql("select flotilla.renew(\(table), 0::int8, 2000::int4)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            for node in nodes {
                let jobs = try await db.claim(by: node)
                try await db.finish(jobs.map(\.title), by: node)
                ended.change { $0 += jobs.count }
            }
            #expect(ended.get() == 2 * 60 * 40)
            #expect(try await db.number("select count(*) from flotilla.outcome where status = 'd'") == 4_800)
            try await db.expectNoFaults()
        }
    }

    private static func churn(_ db: TestDatabase, by node: JoinedNode) async throws {
        for _ in 0..<3 {
            try await db.enqueue(Array(repeating: try spec(), count: Self.enough / 3))
            let jobs = try await db.claim(by: node)
            try await db.finish(jobs.map(\.title), by: node)
        }
    }

    /// Two claims, one of them of this job.
    private static func held(_ db: TestDatabase, by node: JoinedNode, besides job: JobID) async throws
        -> [JobTitle]
    {
        try await db.enqueue(try spec())
        let titles = try await db.claim(by: node).map(\.title)
        #expect(titles.count == 2 && titles.contains { $0.job == job })
        return titles
    }
}

private struct Tuples: Equatable {
    var live: Int
    var dead: Int
}

extension TestDatabase {
    /// What is really in a table's pages, those that no vacuum may remove yet as well.
    fileprivate func tuples(_ table: String) async throws -> Tuples {
        try await self.sql("create extension if not exists pgstattuple")
        let row = try await self.sql(
            "select tuple_count, dead_tuple_count from pgstattuple(\("flotilla." + table))"
        ).exactlyOne()
        return Tuples(live: Int(try row[0, as: Int64.self]), dead: Int(try row[1, as: Int64.self]))
    }
}
