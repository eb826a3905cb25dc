import PostgresDriver
import ReadinessLoop
import Testing

struct CopyOutTests {
    private struct Enough: Error {}

    private func bytes(_ connection: PostgresConnection, _ copy: PostgresStatement) async throws -> [UInt8] {
        try await connection.withCopyOut(copy, deadline: .seconds(30)) { output in
            var bytes: [UInt8] = []
            for try await chunk in output {
                #expect(!chunk.isEmpty)
                bytes += chunk
            }
            return bytes
        }
    }

    @Test func `text and binary, byte for byte`() async throws {
        try await withConnection { connection in
            let text = try await self.bytes(
                connection, "copy (select n, 'x' || n from generate_series(1, 20000) n) to stdout")
            #expect(text == Array((1...20_000).map { "\($0)\tx\($0)\n" }.joined().utf8))
            let binary = try await self.bytes(
                connection, "copy (select 1::int2, null::text) to stdout (format binary)")
            #expect(
                binary == Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
                    + [0, 0, 0, 2, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
            let empty = try await self.bytes(connection, "copy (select 1 where false) to stdout")
            #expect(empty.isEmpty)
        }
    }

    @Test func `out of one table and into another`() async throws {
        try await withTable("id int8, name text") { connection, outside, table in
            try outside.execute(
                """
                insert into \(table) select n, 'name ' || n from generate_series(1, 50000) n;
                create table \(table)_copy (like \(table))
                """)
            try await withConnection { other in
                let stored = try await connection.withCopyOut(
                    PostgresStatement(unescaped: "copy \(table) to stdout (format binary)"),
                    deadline: .seconds(30)
                ) { output in
                    try await other.copyIn(
                        PostgresStatement(unescaped: "copy \(table)_copy from stdin (format binary)"),
                        from: output, deadline: .seconds(30))
                }
                #expect(stored == 50_000)
            }
            let differences = try outside.query(
                "select count(*) from (table \(unescaped: table) except table \(unescaped: table)_copy) d")
            #expect(try differences[0][0, as: Int.self] == 0)
            try outside.execute("drop table \(table)_copy")
        }
    }

    @Test func `a slow consumer makes the server wait, in bounded memory, ten megabytes a row`() async throws
    {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            let before = try residentMemory()
            let count = try await connection.withCopyOut(
                "copy (select repeat('x', 10485760) from generate_series(1, 20)) to stdout",
                deadline: .seconds(60)
            ) { output in
                var iterator = output.makeAsyncIterator()
                var count = try await iterator.next()?.count ?? 0
                try await outside.eventuallyWaits(backend, for: "ClientWrite")
                #expect(try residentMemory() - before < 120 << 20)
                while let chunk = try await iterator.next() { count += chunk.count }
                return count
            }
            #expect(count == 20 * 10_485_761)
        }
    }

    @Test func `leaving early, errors and deadlines leave a connection that works`() async throws {
        try await withConnection { connection in
            let backend = try await connection.backend()
            await #expect(throws: Enough.self) {
                try await connection.withCopyOut(
                    "copy (select generate_series(1, 1000000000)) to stdout", deadline: .seconds(60)
                ) { output in
                    for try await _ in output { throw Enough() }
                }
            }
            try await connection.expectWorking(backend)
            let divided = await failure {
                _ = try await self.bytes(
                    connection, "copy (select 1 / (50000 - n) from generate_series(1, 99999) n) to stdout")
            }
            #expect(divided?.sqlState == "22012")
            let late = await failure {
                try await connection.withCopyOut(
                    "copy (select n, pg_sleep(n - 1) from generate_series(1, 30) n) to stdout",
                    deadline: .milliseconds(200)
                ) { output in
                    for try await _ in output {}
                }
            }
            #expect(late == .mayHaveRun(.deadline))
            let select = await failure { _ = try await self.bytes(connection, "select 1") }
            #expect(select == .unreadable("the statement is no COPY from the server"))
            try await connection.expectWorking(backend)
        }
    }

    @Test func `a terminated backend and a cancelled task are told`() async throws {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        _ = try await self.bytes(connection, "copy (select pg_sleep(60)) to stdout")
                    }
                }
                try await outside.eventuallyWaits(backend, for: "PgSleep")
                group.cancelAll()
                #expect(try await group.next() == .mayHaveRun(.cancelled))
            }
            try await connection.expectWorking(backend)
            let error = await failure {
                try await connection.withCopyOut(
                    "copy (select generate_series(1, 1000000000)) to stdout", deadline: .seconds(30)
                ) { output in
                    var isTerminated = false
                    for try await _ in output where !isTerminated {
                        isTerminated = true
                        try outside.terminate(backend)
                    }
                }
            }
            guard case .mayHaveRun(.connectionLost) = error else {
                Issue.record("unexpected: \(String(describing: error))")
                return
            }
            await connection.expectUnusable()
        }
    }
}
