import PostgresDriver
import ReadinessLoop
import Testing

/// The pool against a real server.
struct PoolTests {
    @Test func `a thousand tasks share two connections`() async throws {
        try await withPool { pool in
            try await eventually("both are connected") { await pool.statistics().ready == 2 }
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        try await pool.query("select \(number) * 2")[0][0, as: Int.self] - number
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 499_500)
            let statistics = await pool.statistics()
            #expect(statistics.connections == 2)
            #expect(statistics.connectedTotal == 2)
            #expect(statistics.sentTotal == 1000)
            #expect(statistics.inFlight == 0 && statistics.waiting == 0)
        }
    }

    @Test func `an error touches no neighbour in the pipeline`() async throws {
        try await withPool(changed { $0.connections = 1 }) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        switch number % 3 {
                        case 0:
                            let error = await failure {
                                _ = try await pool.query("select 1 / (\(number) * 0)")
                            }
                            #expect(error?.sqlState == "22012")
                        case 1:
                            let error = await failure { _ = try await pool.query("selec \(number)") }
                            #expect(error?.sqlState == "42601")
                        default:
                            let row = try await pool.query("select \(number)")[0]
                            #expect(try row[0, as: Int.self] == number)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let statistics = await pool.statistics()
            #expect(statistics.connectedTotal == 1)
            #expect(statistics.failedTotal == 200)
        }
    }

    @Test func `an error names state, constraint and table`() async throws {
        let table = TestServer.uniqueName("named")
        try await withPool { pool in
            _ = try await pool.query(
                "create table \(unescaped: table) (id int8 constraint \(unescaped: table)_key primary key)")
            #expect(
                try await pool.query("insert into \(unescaped: table) values (\(1)), (\(2))").affectedRows
                    == 2)
            let error = await failure {
                _ = try await pool.query("insert into \(unescaped: table) values (\(1))")
            }
            guard case .failed(let server) = error else {
                Issue.record("unexpected: \(String(describing: error))")
                return
            }
            #expect(server.sqlState == .uniqueViolation)
            #expect(server.constraint == "\(table)_key")
            #expect(server.table == table)
            #expect(server.detail == "Key (id)=(1) already exists.")
            _ = try await pool.query("drop table \(unescaped: table)")
        }
    }

    /// The row count arrives before the commit; the error comes with the commit.
    @Test func `a statement that fails at its commit has failed`() async throws {
        let table = TestServer.uniqueName("deferred")
        try await withPool(changed { $0.connections = 1 }) { pool in
            _ = try await pool.query(
                "create table \(unescaped: table) (id int8 unique deferrable initially deferred)")
            let insert: PostgresStatement = "insert into \(unescaped: table) values (\(7))"
            #expect(try await pool.query(insert).affectedRows == 1)
            for _ in 0..<2 {
                let error = await failure { _ = try await pool.query(insert) }
                #expect(error?.sqlState == .uniqueViolation)
            }
            #expect(try await pool.query("select count(*) from \(unescaped: table)")[0][0, as: Int.self] == 1)
            _ = try await pool.query("drop table \(unescaped: table)")
        }
    }

    @Test func `a plan that an altered table made void is made anew`() async throws {
        let table = TestServer.uniqueName("altered")
        try await withPool(changed { $0.connections = 1 }) { pool in
            _ = try await pool.query("create table \(unescaped: table) (id int8)")
            let select: PostgresStatement = "select * from \(unescaped: table)"
            for _ in 0..<3 { #expect(try await pool.query(select).isEmpty) }
            _ = try await pool.query("alter table \(unescaped: table) add more text default 'x'")
            _ = try await pool.query("insert into \(unescaped: table) values (\(1))")
            for _ in 0..<3 { #expect(try await pool.query(select)[0]["more", as: String.self] == "x") }
            _ = try await pool.query("drop table \(unescaped: table)")
        }
    }

    @Test func `more statements than may be prepared all work`() async throws {
        try await withPool(
            changed {
                $0.connections = 1
                $0.preparedLimit = 3
            }
        ) { pool in
            for round in 0..<3 {
                for number in 0..<10 {
                    let rows = try await pool.query("select \(round) + \(unescaped: "\(number)")")
                    #expect(try rows[0][0, as: Int.self] == round + number)
                }
            }
            let kept = try await pool.query(
                PostgresStatement("select count(*) from pg_prepared_statements").unprepared())
            #expect(try kept[0][0, as: Int.self] <= 4)
        }
    }

    @Test func `session settings hold on every connection`() async throws {
        try await withPool(changed { $0.server.sessionSettings["application_name"] = "two words" }) { pool in
            for _ in 0..<4 {
                let row = try await pool.query(
                    "select current_setting('statement_timeout'), current_setting('application_name')")[0]
                #expect(try row[0, as: String.self] == "20s")
                #expect(try row[1, as: String.self] == "two words")
            }
        }
    }

    @Test func `large values pass in both directions`() async throws {
        let bytes = [UInt8](repeating: 7, count: 5_000_000)
        try await withPool { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let row = try await pool.query("select \(bytes), length(\(bytes))")[0]
                        #expect(try row[0, as: [UInt8].self] == bytes)
                        #expect(try row[1, as: Int.self] == bytes.count)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
