import Foundation
import PostgresDriver
import ReadinessLoop
import Testing

struct CopyInTests {
    private struct Broken: Error {}

    @Test func `text, in pieces cut anywhere`() async throws {
        try await withTable("id int8, name text") { connection, outside, table in
            let text = (1...10_000).map { "\($0)\tname \($0)\n" }.joined()
            let bytes = Array(text.utf8)
            let stored = try await connection.copyIn(
                PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .seconds(20)
            ) { writer in
                for start in stride(from: 0, to: bytes.count, by: 777) {
                    try await writer.write(Array(bytes[start..<min(start + 777, bytes.count)]))
                }
                try await writer.write("0\t\\N\n")
            }
            #expect(stored == 10_001)
            #expect(try outside.count(table) == 10_001)
            let row = try outside.query("select sum(id)::int8, count(name) from \(unescaped: table)")[0]
            #expect(try row[0, as: Int.self] == 50_005_000)
            #expect(try row[1, as: Int.self] == 10_000)
        }
    }

    @Test func `typed rows, in binary, with every type and NULL`() async throws {
        let columns =
            "a int8, b text, c bytea, d float8, e bool, f uuid, g timestamptz, h int4[], i jsonb, j numeric"
        try await withTable(columns) { connection, _, table in
            let id = UUID()
            let instant = PostgresInstant(microsecondsSince1970: 1_700_000_000_123_456)
            let names = try "abcdefghij".map { try PostgresIdentifier(String($0)) }
            let stored = try await connection.copyRows(
                into: [PostgresIdentifier("public"), PostgresIdentifier(table)], columns: names,
                deadline: .seconds(20)
            ) { writer in
                try await writer.write(
                    Int64(7), "Grüße\t\n\\", [UInt8]([0, 255]), 0.5, true, id, instant, [Int32?]([1, nil]),
                    PostgresJSON("{\"a\": 1}"), PostgresNumeric(12_345_678_901))
                try await writer.write(contentsOf: 0..<50_000) { number, row in
                    row.append(number)
                    for _ in 0..<9 { row.append(nil as String?) }
                }
            }
            #expect(stored == 50_001)
            let row = try await connection.query(
                "select * from \(PostgresIdentifier(table)) where b is not null")[0]
            let (a, b, c, d, e, f, g, h, i, j) = try row.decode(
                Int64.self, String.self, [UInt8].self, Double.self, Bool.self, UUID.self,
                PostgresInstant.self,
                [Int32?].self, PostgresJSON.self, PostgresNumeric.self)
            #expect(
                a == 7 && b == "Grüße\t\n\\" && c == [0, 255] && d == 0.5 && e && f == id && g == instant)
            #expect(h == [1, nil] && i.text == "{\"a\": 1}" && j.text == "12345678901")
        }
    }

    @Test func `nothing, an empty sequence, ten megabytes in one row`() async throws {
        try await withTable("name text") { connection, outside, table in
            let copy = PostgresStatement(unescaped: "copy \(table) from stdin")
            let none = try await connection.copyIn(copy, deadline: .seconds(5)) { _ in }
            #expect(none == 0)
            let noRows = try await connection.copyRows(
                into: [PostgresIdentifier(table)], columns: [PostgresIdentifier("name")],
                deadline: .seconds(5)
            ) { _ in }
            #expect(noRows == 0)
            let buffers = AsyncStream<[UInt8]> { continuation in
                for _ in 0..<3 {
                    continuation.yield(Array(repeating: UInt8(ascii: "x"), count: 10 << 20))
                    continuation.yield([UInt8(ascii: "\n")])
                }
                continuation.finish()
            }
            let stored = try await connection.copyIn(copy, from: buffers, deadline: .seconds(60))
            #expect(stored == 3)
            let rows = try outside.query("select sum(length(name)) from \(unescaped: table)")
            #expect(try rows[0][0, as: Int.self] == 30 << 20)
        }
    }

    @Test func `a producer that throws stores nothing, and the connection works`() async throws {
        try await withTable("id int8") { connection, outside, table in
            let backend = try await connection.backend()
            await #expect(throws: Broken.self) {
                try await connection.copyIn(
                    PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .seconds(20)
                ) { writer in
                    for number in 0..<200_000 { try await writer.write("\(number)\n") }
                    throw Broken()
                }
            }
            try await connection.expectWorking(backend)
            #expect(try outside.count(table) == 0)
        }
    }

    @Test func `a row that the server refuses is an error with its state`() async throws {
        try await withTable("id int8 primary key") { connection, outside, table in
            let backend = try await connection.backend()
            let copy = PostgresStatement(unescaped: "copy \(table) from stdin")
            let double = await failure {
                _ = try await connection.copyIn(copy, deadline: .seconds(20)) { writer in
                    for number in 0..<500_000 { try await writer.write("\(number % 400_000)\n") }
                }
            }
            #expect(double?.sqlState == .uniqueViolation)
            let early = await failure {
                _ = try await connection.copyIn(copy, deadline: .seconds(20)) { writer in
                    try await writer.write("no number\n")
                    for number in 0..<500_000 { try await writer.write("\(number)\n") }
                }
            }
            #expect(early?.sqlState == "22P02")
            let missing = await failure {
                _ = try await connection.copyIn("copy nowhere from stdin", deadline: .seconds(20)) { writer in
                    while true { try await writer.write("1\n") }
                }
            }
            #expect(missing?.sqlState == .undefinedTable)
            try await connection.expectWorking(backend)
            #expect(try outside.count(table) == 0)
        }
    }

    @Test func `what is no COPY is refused`() async throws {
        try await withConnection { connection in
            let parameters = await failure {
                _ = try await connection.copyIn("copy t from \("stdin")", deadline: .seconds(5)) { _ in }
            }
            #expect(parameters == .didNotRun(.invalid("COPY takes no parameters")))
            let select = await failure {
                _ = try await connection.copyIn("select 1", deadline: .seconds(5)) { writer in
                    try await writer.write("1\n")
                }
            }
            #expect(select == .unreadable("the statement is no COPY to the server"))
            let out = await failure {
                _ = try await connection.copyIn("copy (select 1) to stdout", deadline: .seconds(5)) {
                    writer in
                    while true { try await writer.write("1\n") }
                }
            }
            #expect(out == .unreadable("the statement is a COPY from the server"))
            let row = try await connection.query("select \(3)")[0]
            #expect(try row[0, as: Int.self] == 3)
        }
    }

    @Test func `a row of too few values is named, and nothing is stored`() async throws {
        try await withTable("a int8, b int8") { connection, outside, table in
            let error = await failure {
                _ = try await connection.copyRows(
                    into: [PostgresIdentifier(table)],
                    columns: [PostgresIdentifier("a"), PostgresIdentifier("b")], deadline: .seconds(5)
                ) { writer in
                    try await writer.write(1, 2)
                    try await writer.write(3)
                }
            }
            #expect(error == .didNotRun(.invalid("a row of 1 values for 2 columns")))
            let count = try outside.count(table)
            #expect(count == 0)
        }
    }

    // MARK: Faults

    /// Each row of the table waits for a lock that somebody else holds.
    private func withBlockedTable(
        at moment: String, _ body: (PostgresConnection, Outside, HeldLock, String) async throws -> Void
    ) async throws {
        let lock = try HeldLock()
        try await withTable("id int8") { connection, outside, table in
            try outside.execute(
                """
                create function \(table)_wait() returns trigger language plpgsql as
                $$ begin perform pg_advisory_xact_lock_shared(\(lock.key)); return null; end $$;
                create constraint trigger wait after insert on \(table) \(moment)
                for each row when (new.id = 0) execute function \(table)_wait()
                """)
            try await body(connection, outside, lock, table)
            try outside.execute(
                "drop table \(table); create table \(table) (); drop function \(table)_wait()")
        }
    }

    /// A trigger of a row that waits before the row is stored.
    private func blockRows(_ outside: Outside, _ lock: HeldLock, _ table: String) throws {
        try outside.execute(
            """
            create or replace function \(table)_now() returns trigger language plpgsql as
            $$ begin perform pg_advisory_xact_lock_shared(\(lock.key)); return new; end $$;
            create trigger now before insert on \(table)
            for each row when (new.id = 0) execute function \(table)_now()
            """)
    }

    @Test func `a server that is behind makes the producer wait, in bounded memory`() async throws {
        let lock = try HeldLock()
        try await withTable("id int8, filling text") { connection, outside, table in
            try self.blockRows(outside, lock, table)
            let given = Counter()
            let filling = String(repeating: "x", count: 1000)
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    try await connection.copyIn(
                        PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .seconds(60)
                    ) { writer in
                        for number in 0..<30_000 {
                            try await writer.write("\(number)\t\(filling)\n")
                            given.add()
                        }
                    }
                }
                _ = try await lock.waiter()
                var last = -1
                try await eventually("the producer stands still") {
                    for _ in 0..<1000 { await Task.yield() }
                    defer { last = given.count }
                    return given.count == last
                }
                // Batches of 256 KiB: one here, one in libpq, and what the kernel and the server hold.
                #expect(given.count < 10_000)
                lock.release()
                #expect(try await group.next() == 30_000)
            }
            #expect(try outside.count(table) == 30_000)
            try outside.execute("drop function \(table)_now() cascade")
        }
    }

    @Test func `a backend terminated before the end has stored nothing, surely`() async throws {
        try await withTable("id int8") { connection, outside, table in
            let backend = try await connection.backend()
            let error = await failure {
                _ = try await connection.copyIn(
                    PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .seconds(20)
                ) { writer in
                    for number in 0..<100_000 { try await writer.write("\(number)\n") }
                    try outside.terminate(backend)
                    while true { try await writer.write("1\n") }
                }
            }
            guard case .didNotRun(.notConnected) = error else {
                Issue.record("unexpected: \(String(describing: error))")
                return
            }
            await connection.expectUnusable()
            #expect(try outside.count(table) == 0)
        }
    }

    @Test func `a backend terminated after the end is an unknown outcome`() async throws {
        try await self.withBlockedTable(at: "deferrable initially deferred") {
            connection, outside, lock, table in
            let backend = try await connection.backend()
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        _ = try await connection.copyIn(
                            PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .seconds(20)
                        ) { try await $0.write("0\n") }
                    }
                }
                #expect(try await lock.waiter() == backend)
                try outside.terminate(backend)
                let error = try await group.next() ?? nil
                guard case .mayHaveRun(.connectionLost) = error else {
                    Issue.record("unexpected: \(String(describing: error))")
                    return
                }
            }
            await connection.expectUnusable()
        }
    }

    @Test func `a deadline after the end is an unknown outcome, and cancelled at the server`() async throws {
        try await self.withBlockedTable(at: "deferrable initially deferred") {
            connection, outside, lock, table in
            let backend = try await connection.backend()
            let error = await failure {
                _ = try await connection.copyIn(
                    PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .milliseconds(500)
                ) { try await $0.write("0\n") }
            }
            #expect(error == .mayHaveRun(.deadline))
            try await connection.expectWorking(backend)
            #expect(try outside.count(table) == 0)
        }
    }

    @Test func `a task cancelled while the server is behind has stored nothing, surely`() async throws {
        let lock = try HeldLock()
        try await withTable("id int8, filling text") { connection, outside, table in
            try self.blockRows(outside, lock, table)
            let backend = try await connection.backend()
            let filling = String(repeating: "x", count: 1000)
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        _ = try await connection.copyIn(
                            PostgresStatement(unescaped: "copy \(table) from stdin"), deadline: .seconds(60)
                        ) { writer in
                            var number = 0
                            while true {
                                try await writer.write("\(number)\t\(filling)\n")
                                number += 1
                            }
                        }
                    }
                }
                let waiter = try await lock.waiter()
                #expect(waiter == backend)
                group.cancelAll()
                #expect(try await group.next() == .didNotRun(.cancelled))
            }
            // The lock is still held: only a cancellation at the server lets the next statement run.
            try await connection.expectWorking(backend)
            #expect(try outside.count(table) == 0)
            try outside.execute("drop function \(table)_now() cascade")
        }
    }
}
