import PostgresDriver
import ReadinessLoop
import Testing

/// Exclusive connections: transactions and scripts.
struct ConnectionTests {
    private struct Undo: Error {}

    private func withTable(_ body: (PostgresPool, String) async throws -> Void) async throws {
        let table = TestServer.uniqueName("exclusive")
        try await withPool { pool in
            _ = try await pool.query("create table \(unescaped: table) (id int8 primary key)")
            try await body(pool, table)
            _ = try await pool.query("drop table \(unescaped: table)")
        }
    }

    private func count(_ pool: PostgresPool, _ table: String) async throws -> Int {
        try await pool.query("select count(*) from \(unescaped: table)")[0][0, as: Int.self]
    }

    @Test func `a transaction commits as a whole`() async throws {
        try await self.withTable { pool, table in
            let inside = try await pool.withExclusiveConnection { connection in
                try await connection.transaction(deadline: .seconds(5)) { transaction in
                    for id in 1...3 {
                        _ = try await transaction.query("insert into \(unescaped: table) values (\(id))")
                    }
                    #expect(try await self.count(pool, table) == 0)
                    return try await transaction.query("select count(*) from \(unescaped: table)")[0][
                        0, as: Int.self]
                }
            }
            #expect(inside == 3)
            #expect(try await self.count(pool, table) == 3)
        }
    }

    @Test func `a transaction that throws leaves nothing, and its connection works on`() async throws {
        try await self.withTable { pool, table in
            try await pool.withExclusiveConnection { connection in
                await #expect(throws: Undo.self) {
                    try await connection.transaction(deadline: .seconds(5)) { transaction in
                        _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                        throw Undo()
                    }
                }
                let row = try await connection.query("select 1")[0]
                #expect(try row[0, as: Int.self] == 1)
            }
            #expect(try await self.count(pool, table) == 0)
        }
    }

    @Test func `a commit that the server turns into a rollback is an error`() async throws {
        try await self.withTable { pool, table in
            try await pool.withExclusiveConnection { connection in
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.transaction(deadline: .seconds(5)) { transaction in
                        _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                        _ = await failure { _ = try await transaction.query("select 1 / 0") }
                    }
                }
                #expect(error?.sqlState == .inFailedTransaction)
            }
            #expect(try await self.count(pool, table) == 0)
        }
    }

    @Test func `a transaction whose deadline passes commits nothing`() async throws {
        let lock = try HeldLock()
        try await self.withTable { pool, table in
            await #expect(throws: PostgresError.didNotRun(.deadline(nil))) {
                try await pool.withExclusiveConnection { connection in
                    try await connection.transaction(deadline: .milliseconds(300)) { transaction in
                        _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                        _ = try await transaction.query("select pg_advisory_lock(\(lock.key))")
                    }
                }
            }
            lock.release()
            let count = try await self.count(pool, table)
            #expect(count == 0)
        }
    }

    @Test func `a script runs as one transaction, and the pipeline works again after it`() async throws {
        try await self.withTable { pool, table in
            try await pool.withExclusiveConnection { connection in
                try await connection.execute(
                    script: "insert into \(table) values (1); insert into \(table) values (2); select 1;")
                #expect(try await connection.query("select \(6)")[0][0, as: Int.self] == 6)
                let error = await failure {
                    try await connection.execute(
                        script: "insert into \(table) values (3); insert into \(table) values (3)")
                }
                #expect(error?.sqlState == .uniqueViolation)
                #expect(try await connection.query("select \(7)")[0][0, as: Int.self] == 7)
            }
            #expect(try await self.count(pool, table) == 2)
        }
    }

    @Test func `only so many exclusive connections are open at a time`() async throws {
        try await withPool(changed { $0.exclusiveConnections = 1 }) { pool in
            let error = try await pool.withExclusiveConnection { _ in
                await failure { try await pool.withExclusiveConnection(deadline: .milliseconds(50)) { _ in } }
            }
            #expect(error == .didNotRun(.deadline(nil)))
            let row = try await pool.withExclusiveConnection { try await $0.query("select 8")[0] }
            #expect(try row[0, as: Int.self] == 8)
        }
    }

    @Test func `a closed connection refuses`() async throws {
        try await withConnection { connection in
            await connection.close()
            let error = await failure { _ = try await connection.query("select 1") }
            #expect(error == .didNotRun(.closed))
        }
    }

    @Test func `a server that cannot be reached is an error at once`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let error = await failure {
            _ = try await PostgresConnection.connect(
                PostgresConfiguration(connectionString: "host=127.0.0.1 port=1"), loop: loop,
                logger: TestServer.logger)
        }
        guard case .didNotRun(.notConnected(let reason)) = error else {
            Issue.record("unexpected: \(String(describing: error))")
            return
        }
        #expect(reason.contains("refused"))
    }
}
