import PostgresDriver
import ReadinessLoop
import Testing

struct RowStreamTests {
    private struct Enough: Error {}

    @Test func `every row comes, in order and typed`() async throws {
        try await withConnection { connection in
            let count = 10_000
            let sum = try await connection.withRows(
                "select n, 'row ' || n from generate_series(1, \(count)) n", deadline: .seconds(20)
            ) { rows in
                var expected = 0
                var sum = 0
                for try await row in rows {
                    expected += 1
                    let (number, text) = try row.decode(Int.self, String.self)
                    #expect(number == expected && text == "row \(number)")
                    sum += number
                }
                return sum
            }
            #expect(sum == count * (count + 1) / 2)
            #expect(try await connection.query("select \(4)")[0][0, as: Int.self] == 4)
        }
    }

    @Test func `no rows and no result are an empty stream`() async throws {
        try await withConnection { connection in
            for statement: PostgresStatement in ["select 1 where false", "set application_name = 'x'", ""] {
                try await connection.withRows(statement, deadline: .seconds(5)) { rows in
                    for try await _ in rows { Issue.record("a row") }
                }
            }
        }
    }

    @Test func `rows of ten megabytes come one after the other`() async throws {
        try await withConnection { connection in
            let lengths = try await connection.withRows(
                "select repeat(chr(64 + n), 10485760) from generate_series(1, 12) n", deadline: .seconds(60)
            ) { rows in
                var lengths: [Int] = []
                for try await row in rows { lengths.append(try row[0, as: String.self].utf8.count) }
                return lengths
            }
            #expect(lengths == Array(repeating: 10_485_760, count: 12))
        }
    }

    @Test func `a slow consumer makes the server wait, in bounded memory`() async throws {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            let before = try residentMemory()
            let count = try await connection.withRows(
                "select repeat('x', 10000) from generate_series(1, 30000)", deadline: .seconds(60)
            ) { rows in
                var iterator = rows.makeAsyncIterator()
                _ = try await iterator.next()
                try await outside.eventuallyWaits(backend, for: "ClientWrite")
                // 300 MB are on their way, and about 1 MiB of them is here.
                #expect(try residentMemory() - before < 40 << 20)
                var count = 1
                while try await iterator.next() != nil { count += 1 }
                return count
            }
            #expect(count == 30_000)
            #expect(try residentMemory() - before < 60 << 20)
        }
    }

    @Test func `who leaves early gets the connection back, the rest cancelled at the server`() async throws {
        try await withConnection { connection in
            let backend = try await connection.backend()
            let start = ContinuousClock.now
            for _ in 0..<20 {
                await #expect(throws: Enough.self) {
                    try await connection.withRows(
                        "select generate_series(1, 1000000000)", deadline: .seconds(60)
                    ) { rows in
                        for try await row in rows where try row[0, as: Int.self] == 100 { throw Enough() }
                    }
                }
                try await connection.expectWorking(backend)
            }
            #expect(start.duration(to: .now) < .seconds(20))
        }
    }

    @Test func `leaving early inside a transaction does not end the transaction`() async throws {
        try await withTable("id int8") { connection, outside, table in
            try await connection.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                try await connection.withRows(
                    "select generate_series(1, 100000)", deadline: .seconds(10)
                ) { rows in
                    for try await _ in rows { break }
                }
                _ = try await transaction.query("insert into \(unescaped: table) values (\(2))")
            }
            #expect(try outside.count(table) == 2)
        }
    }

    @Test func `an error after some rows is told after them`() async throws {
        try await withConnection { connection in
            let backend = try await connection.backend()
            var seen = 0
            let error = await failure {
                try await connection.withRows(
                    "select 1 / (5000 - n) from generate_series(1, 10000) n", deadline: .seconds(10)
                ) { rows in
                    for try await _ in rows { seen += 1 }
                }
            }
            #expect(seen == 4999)
            #expect(error?.sqlState == "22012")
            let refused = await failure {
                try await connection.withRows("selec", deadline: .seconds(5)) { rows in
                    for try await _ in rows {}
                }
            }
            #expect(refused?.sqlState == "42601")
            try await connection.expectWorking(backend)
        }
    }

    @Test func `a terminated backend cuts the stream off with an error`() async throws {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            let error = await failure {
                try await connection.withRows(
                    "select generate_series(1, 10000000), repeat('x', 1000)", deadline: .seconds(30)
                ) { rows in
                    var seen = 0
                    for try await _ in rows {
                        seen += 1
                        if seen == 10 { try outside.terminate(backend) }
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

    @Test func `a deadline ends the stream, at the server too`() async throws {
        try await withConnection { connection in
            let backend = try await connection.backend()
            let start = ContinuousClock.now
            let error = await failure {
                try await connection.withRows(
                    "select n, pg_sleep(n - 1) from generate_series(1, 30) n", deadline: .milliseconds(200)
                ) { rows in
                    for try await _ in rows {}
                }
            }
            #expect(error == .mayHaveRun(.deadline))
            #expect(start.duration(to: .now) < .seconds(1))
            try await connection.expectWorking(backend)
            #expect(start.duration(to: .now) < .seconds(4))
        }
    }

    @Test func `a cancelled task ends the stream, at the server too`() async throws {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        try await connection.withRows("select pg_sleep(60)", deadline: .seconds(90)) { rows in
                            for try await _ in rows {}
                        }
                    }
                }
                try await outside.eventuallyWaits(backend, for: "PgSleep")
                group.cancelAll()
                #expect(try await group.next() == .mayHaveRun(.cancelled))
            }
            try await connection.expectWorking(backend)
        }
    }

    @Test func `a busy connection says so instead of waiting for itself`() async throws {
        try await withConnection { connection in
            let error = try await connection.withRows("select 1", deadline: .seconds(5)) { _ in
                await failure { _ = try await connection.query("select 2") }
            }
            #expect(error == .didNotRun(.invalid("the connection is busy with a stream or a COPY")))
            #expect(try await connection.query("select \(3)")[0][0, as: Int.self] == 3)
        }
    }

    @Test func `a COPY is no stream of rows, and costs the connection`() async throws {
        for (copy, what): (PostgresStatement, String) in [
            ("copy (select 1) to stdout", "from"), ("copy fed from stdin", "to"),
        ] {
            try await withConnection { connection in
                try await connection.execute(script: "create temporary table fed (id int8)")
                let error = await failure {
                    try await connection.withRows(copy, deadline: .seconds(5)) { rows in
                        for try await _ in rows {}
                    }
                }
                #expect(error == .unreadable("the statement is a COPY \(what) the server"))
                await connection.expectUnusable()
            }
        }
    }
}
