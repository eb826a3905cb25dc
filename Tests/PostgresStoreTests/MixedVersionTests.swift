import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// Two versions of the program on one real database: this one, and the next, which brings a migration of its own.
@Suite struct MixedVersionTests {
    private static let current = Migration.newest
    private static let next = Migration.newest + 1

    /// What a next version may do to tables that this one writes: more columns, an index, a table of its own.
    private static func following(minReaderVersion: Int) -> [Migration] {
        Migration.known + [
            Migration(
                version: Self.next, name: "following",
                script: """
                    alter table flotilla.member add column mood text not null default 'calm';
                    alter table flotilla.cluster add column moods integer not null default 0;
                    alter table flotilla.lease add column note text;
                    alter table flotilla.name add column note text;
                    alter table flotilla.transfer add column note text not null default '';
                    create index on flotilla.departed (name);
                    create table flotilla.mood (slot smallint primary key, since timestamptz not null)
                    """,
                minReaderVersion: minReaderVersion)
        ]
    }

    private static func migrate(_ db: TestDatabase, _ migrations: [Migration] = Migration.known) async throws
        -> Int
    {
        try await SchemaMigrator(pool: db.pool, migrations: migrations, logger: db.logger).run()
    }

    private static func joins(_ db: TestDatabase, knowing schema: Int, named name: String? = nil) async throws
        -> JoinAnswer
    {
        let incarnation = try await db.store.nextIncarnation(above: nil)
        return try await db.store.join(
            .test(incarnation, named: name.flatMap { NodeName($0) }, knownSchema: schema))
    }

    /// One of everything that a node writes, in a database of whatever version.
    private static func work(_ db: TestDatabase, _ one: JoinedNode, _ two: JoinedNode, _ round: String)
        async throws
    {
        for node in [one, two] {
            guard case .alive(let news) = try await node.beat() else {
                Issue.record("\(node.right.incarnation) is dead")
                return
            }
            #expect(news.observed.contains { $0.incarnation == one.right.incarnation })
            #expect(news.observed.contains { $0.incarnation == two.right.incarnation })
        }
        #expect(try await db.store.view().members.filter { $0.status != .dead }.count == 2)
        let title = try await db.lease(request("job-\(round)"), by: one)
        #expect(try await db.store.end([title], by: two.right) == [false])
        #expect(try await db.store.end([title], by: one.right) == [true])
        let account = try await db.account("account-\(round)")
        let publication = try two.publication("file", account)
        #expect(try await db.store.decide([publication], by: two.right) == [.decided])
        let known = try await db.store.unfinished(account: account.id, path: path("file"))
        #expect(known != nil)
        try await db.store.record([record(publication, .running, by: two)], by: two.right)
        _ = try await db.store.facts()
        _ = try await db.store.departures(limit: 10)
        _ = try await db.store.leases(LeaseQuery())
    }

    @Test func `a database of the next version is joined and served by this program`() async throws {
        try await withTestDatabase(migrated: false) { db in
            #expect(
                try await Self.migrate(db, Self.following(minReaderVersion: Self.current)) == Self.next)
            #expect(try await Self.migrate(db) == Self.next)
            let facts = try await db.store.facts()
            #expect(facts.schemaVersion == Self.next && facts.minReaderVersion == Self.current)
            guard case .joined = try await Self.joins(db, knowing: Self.current) else {
                Issue.record("the program of version \(Self.current) was refused")
                return
            }
            let old = try await db.store.view().members[0]
            #expect(try await db.store.leave(slot: old.slot, incarnation: old.incarnation))
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await Self.work(db, one, two, "after")
            try await db.bury(two, by: one)
            #expect(try await two.beat() == .dead)
        }
    }

    @Test func `nodes that serve go on while the next version migrates, and serve beside it`() async throws {
        try await withTestDatabase { (db: TestDatabase) async throws in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await Self.work(db, one, two, "before")
            let title = try await db.lease(request("held"), by: one)
            let beats = try await withThrowingTaskGroup(of: Int?.self) { group in
                group.addTask {
                    try await db.withOtherNode {
                        let steps = Self.following(minReaderVersion: Self.current)
                        _ = try await SchemaMigrator(pool: $0.pool, migrations: steps, logger: db.logger)
                            .run()
                    }
                    return nil
                }
                group.addTask {
                    var beats = 0
                    // On the sessions and with the prepared statements from before, until it is over and ten more.
                    var after = 0
                    while after < 10 {
                        guard case .alive = try await one.beat(), case .alive = try await two.beat() else {
                            throw StoreError.corrupt("a node died while the schema was migrated")
                        }
                        beats += 1
                        if try await db.store.facts().schemaVersion == Self.next { after += 1 }
                    }
                    return beats
                }
                return try await group.reduce(into: [Int]()) { if let beats = $1 { $0.append(beats) } }
            }
            #expect(beats.count == 1)
            #expect(try await db.store.end([title], by: one.right) == [true])
            let newer = try await Self.joins(db, knowing: Self.next, named: "newer")
            guard case .joined(let slot, _) = newer else {
                Issue.record("the newer program was answered \(newer)")
                return
            }
            let member = try #require(try await db.store.view().members.first { $0.slot == slot })
            #expect(try await db.store.leave(slot: slot, incarnation: member.incarnation))
            try await Self.work(db, one, two, "after")
        }
    }

    @Test func `a schema for newer programs refuses this one at its start, and names both`() async throws {
        try await withTestDatabase(migrated: false) { db in
            _ = try await Self.migrate(db, Self.following(minReaderVersion: Self.next))
            do throws(SchemaError) {
                _ = try await SchemaMigrator(pool: db.pool, logger: db.logger).run()
                Issue.record("it was let in")
            } catch {
                #expect(error == .tooNew(minReaderVersion: Self.next, known: Self.current))
                #expect(error.description.contains("knows schema \(Self.next)"))
                #expect(error.description.contains("this one knows \(Self.current)"))
            }
        }
    }

    @Test func `a node that serves when its schema ends goes on, but does not join again`() async throws {
        try await withTestDatabase { (db: TestDatabase) async throws in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            try await Self.work(db, one, two, "before")
            _ = try await Self.migrate(db, Self.following(minReaderVersion: Self.next))
            try await Self.work(db, one, two, "after")
            #expect(
                try await Self.joins(db, knowing: Self.current) == .tooOld(minReaderVersion: Self.next))
            guard case .joined = try await Self.joins(db, knowing: Self.next) else {
                Issue.record("the newer program was refused")
                return
            }
        }
    }
}
