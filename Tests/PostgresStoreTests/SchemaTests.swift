import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct SchemaTests {
    private static let steps =
        Migration.known + [
            Migration(
                version: Migration.newest + 1, name: "test",
                script: "create table flotilla.extra (id int); select 1",
                minReaderVersion: Migration.newest + 1)
        ]

    @Test func `twenty nodes that start at once migrate once`() async throws {
        try await withTestDatabase(migrated: false) { db in
            let versions = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await db.withOtherNode {
                            try await SchemaMigrator(pool: $0.pool, migrations: Self.steps, logger: db.logger)
                                .run()
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(versions == Array(repeating: Migration.newest + 1, count: 20))
            #expect(
                try await db.number("select count(*) from flotilla.schema_migration") == Migration.newest + 1)
        }
    }

    @Test func `a database for newer programs only is refused`() async throws {
        try await withTestDatabase(migrated: false) { db in
            try await SchemaMigrator(pool: db.pool, migrations: Self.steps, logger: db.logger).run()
            await #expect(
                throws: SchemaError.tooNew(minReaderVersion: Migration.newest + 1, known: Migration.newest)
            ) {
                try await SchemaMigrator(pool: db.pool, logger: db.logger).run()
            }
        }
    }

    @Test func `a step that fails leaves nothing behind`() async throws {
        try await withTestDatabase { (db: TestDatabase) async throws in
            let bad = Migration(
                version: Migration.newest + 1, name: "bad",
                script: "create table flotilla.half (id int); select 1/0",
                minReaderVersion: 1)
            await #expect(throws: SchemaError.self) {
                try await SchemaMigrator(
                    pool: db.pool, migrations: Migration.known + [bad], logger: db.logger
                ).run()
            }
            #expect(try await db.store.facts().schemaVersion == Migration.newest)
            #expect(try await db.number("select count(*) from pg_class where relname = 'half'") == 0)
        }
    }

    @Test func `a lock that is held for too long is named`() async throws {
        try await withTestDatabase(migrated: false) { db in
            let other = try await db.session()
            _ = try await other.query("select pg_advisory_lock(1718382452, 1)")
            do throws(SchemaError) {
                try await SchemaMigrator(pool: db.pool, patience: .milliseconds(500), logger: db.logger).run()
                Issue.record("it migrated")
            } catch {
                #expect(error.description.contains("lock"))
            }
            await other.close()
        }
    }
}
