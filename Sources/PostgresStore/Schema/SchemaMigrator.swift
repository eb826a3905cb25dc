import ClusterPorts
package import Logging
package import PostgresDriver

/// Brings the schema to the version that this program knows; of many nodes whoever comes first does it.
///
/// Each step is one transaction on a connection of its own (the one exception to rule R1): it takes a
/// transaction advisory lock, looks at the version again, and moves it by compare-and-set. It waits for no
/// lock longer than 100 ms at a time, because heartbeats would queue up behind it, and tries again for a
/// bounded time.
package struct SchemaMigrator: Sendable {
    package let pool: PostgresPool
    package let migrations: [Migration]
    /// For all attempts together.
    package let patience: Duration
    package let logger: Logger

    /// Of one step, from BEGIN to COMMIT.
    private static let stepLimit: Duration = .seconds(60)

    /// - Parameter migrations: from version 1 on, without gaps.
    package init(
        pool: PostgresPool, migrations: [Migration] = Migration.known, patience: Duration = .seconds(30),
        logger: Logger
    ) {
        precondition(migrations.enumerated().allSatisfy { $1.version == $0 + 1 }, "migrations have gaps")
        self.pool = pool
        self.migrations = migrations
        self.patience = patience
        self.logger = logger
    }

    /// Answers the schema's version afterwards.
    ///
    /// It is higher than the newest known one when a newer program
    /// was here and left a schema that this one can live with.
    @discardableResult
    package func run() async throws(SchemaError) -> Int {
        let start = ContinuousClock.now
        var last = StoreError.notRun("no attempt was made")
        while ContinuousClock.now - start < self.patience, !Task.isCancelled {
            switch await self.step() {
            case .done(let version): return version
            case .applied(let migration):
                self.logger.info(
                    "schema migrated",
                    metadata: ["schema.version": "\(migration.version)", "schema.step": "\(migration.name)"])
            case .again(let error):
                last = error
                // Nodes that started together do not come back together.
                try? await Task.sleep(for: .milliseconds(Int.random(in: 50...150)))
            case .stop(let error): throw error
            }
        }
        throw .busy(waited: self.patience, last)
    }

    private enum Step {
        case done(version: Int)
        case applied(Migration)
        /// Others are at it, or the answer was lost: look again.
        case again(StoreError)
        case stop(SchemaError)
    }

    private func step() async -> Step {
        var next: Migration?
        do throws(StoreError) {
            let found = try await self.found()
            guard found.version < self.migrations.count else {
                guard found.minReader <= self.migrations.count else {
                    return .stop(.tooNew(minReaderVersion: found.minReader, known: self.migrations.count))
                }
                return .done(version: found.version)
            }
            let migration = self.migrations[found.version]
            next = migration
            try await self.apply(migration)
            return .applied(migration)
        } catch {
            guard case .refused = error else { return .again(error) }
            return .stop(next.map { .failed(version: $0.version, error) } ?? .unreadable(error))
        }
    }

    private struct Found {
        var version: Int
        var minReader: Int
    }

    /// Before the first step there is no table to ask.
    private func found() async throws(StoreError) -> Found {
        do throws(PostgresError) {
            let exists = try await self.pool.query("select to_regclass('flotilla.cluster') is not null")
                .exactlyOne()
            guard try exists[0, as: Bool.self] else { return Found(version: 0, minReader: 0) }
            let row = try await self.pool.query(
                "select schema_version, min_reader_version from flotilla.cluster"
            )
            .exactlyOne()
            let (version, minReader) = try row.decode(Int.self, Int.self)
            return Found(version: version, minReader: minReader)
        } catch {
            throw StoreError(error)
        }
    }

    private func apply(_ migration: Migration) async throws(StoreError) {
        do {
            try await self.pool.withExclusiveConnection { connection in
                try await connection.transaction(deadline: Self.stepLimit) { transaction in
                    _ = try await transaction.query("set local lock_timeout = '100ms'")
                    _ = try await transaction.query("set local statement_timeout = '60s'")
                    // With two keys, so that it is never taken for the lock of an incarnation, which has one.
                    _ = try await transaction.query("select pg_advisory_xact_lock(1718382452, 1)")
                    try await Self.expect(version: migration.version - 1, in: transaction)
                    try await connection.execute(script: migration.script, deadline: Self.stepLimit)
                    try await Self.note(migration, in: transaction)
                }
            }
        } catch let error as PostgresError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw .notRun("\(error)")
        }
    }

    /// Asked again under the lock: another node may have been first.
    private static func expect(version: Int, in transaction: PostgresTransaction) async throws {
        let exists = try await transaction.query("select to_regclass('flotilla.cluster') is not null")
            .exactlyOne()
        var found = 0
        if try exists[0, as: Bool.self] {
            found = try await transaction.query("select schema_version from flotilla.cluster").exactlyOne()[
                0, as: Int.self]
        }
        guard found == version else {
            throw StoreError.notRun("another node migrated the schema to version \(found)")
        }
    }

    private static func note(_ migration: Migration, in transaction: PostgresTransaction) async throws {
        let moved = try await transaction.query(
            """
            update flotilla.cluster
            set schema_version = \(migration.version), min_reader_version = \(migration.minReaderVersion)
            where schema_version = \(migration.version - 1)
            """)
        guard moved.affectedRows == 1 else {
            throw StoreError.notRun("another node moved the schema's version")
        }
        _ = try await transaction.query(
            "insert into flotilla.schema_migration (version, name) values (\(migration.version), \(migration.name))"
        )
    }
}
