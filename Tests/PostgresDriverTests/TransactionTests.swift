import PostgresDriver
import ReadinessLoop
import Testing

struct TransactionTests {
    @Test func `a statement that is too late ends the transaction, not the connection`() async throws {
        let lock = try HeldLock()
        try await withTable("id int8") { connection, outside, table in
            let backend = try await connection.backend()
            let error = await failure {
                try await connection.transaction(deadline: .milliseconds(300)) { transaction in
                    _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                    _ = try await transaction.query("select pg_advisory_lock(\(lock.key))")
                }
            }
            #expect(error == .didNotRun(.deadline(nil)))
            try await connection.expectWorking(backend)
            #expect(try outside.count(table) == 0)
        }
    }

    @Test func `a lost answer that is swallowed is not committed`() async throws {
        let outside = try Outside()
        try await withTable("id int8") { connection, _, table in
            let error = await failure {
                try await connection.transaction(deadline: .seconds(10)) { transaction in
                    _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                    let lost = await failure {
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            group.addTask { _ = try await transaction.query("select pg_sleep(5)") }
                            let backend = try outside.query(
                                """
                                select pid from pg_locks where relation = \(table)::regclass and granted
                                """)[0][0, as: Int32.self]
                            try await outside.eventuallyWaits(backend, for: "PgSleep")
                            group.cancelAll()
                            try await group.waitForAll()
                        }
                    }
                    #expect(lost == .didNotRun(.cancelled))
                    let next = await failure { _ = try await transaction.query("select 1") }
                    #expect(next == .didNotRun(.invalid("the transaction is over")))
                }
            }
            #expect(
                error == .didNotRun(.invalid("the answer of a statement of the transaction was lost")))
            let row = try await connection.query("select count(*) from \(unescaped: table)")[0]
            #expect(try row[0, as: Int.self] == 0)
        }
    }

    @Test func `a task cancelled before COMMIT commits nothing and keeps its connection`() async throws {
        try await withTable("id int8") { connection, outside, table in
            let backend = try await connection.backend()
            let error = await withTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        try await connection.transaction(deadline: .seconds(10)) { transaction in
                            _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                            withUnsafeCurrentTask { $0?.cancel() }
                        }
                    }
                }
                return await group.next() ?? nil
            }
            #expect(error == .didNotRun(.cancelled))
            try await connection.expectWorking(backend)
            #expect(try outside.count(table) == 0)
        }
    }

    @Test func `a COMMIT whose answer is lost is an unknown outcome`() async throws {
        let lock = try HeldLock()
        try await withTable("id int8") { connection, outside, table in
            try outside.execute(
                """
                create function \(table)_wait() returns trigger language plpgsql as
                $$ begin perform pg_advisory_xact_lock_shared(\(lock.key)); return null; end $$;
                create constraint trigger wait after insert on \(table) deferrable initially deferred
                for each row execute function \(table)_wait()
                """)
            let backend = try await connection.backend()
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        try await connection.transaction(deadline: .seconds(10)) { transaction in
                            _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                        }
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
            try outside.execute("drop function \(table)_wait() cascade")
        }
    }

    @Test func `a cancelled task gets the answer of a COMMIT that was sent`() async throws {
        let lock = try HeldLock()
        try await withTable("id int8") { connection, outside, table in
            try outside.execute(
                """
                create function \(table)_wait() returns trigger language plpgsql as
                $$ begin perform pg_advisory_xact_lock_shared(\(lock.key)); return null; end $$;
                create constraint trigger wait after insert on \(table) deferrable initially deferred
                for each row execute function \(table)_wait()
                """)
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        try await connection.transaction(deadline: .seconds(10)) { transaction in
                            _ = try await transaction.query("insert into \(unescaped: table) values (\(1))")
                        }
                    }
                }
                _ = try await lock.waiter()
                group.cancelAll()
                lock.release()
                #expect(try await group.next() == .some(nil))
            }
            #expect(try outside.count(table) == 1)
            try outside.execute("drop function \(table)_wait() cascade")
        }
    }

    @Test func `locks are free soon after the deadline even when the body hangs`() async throws {
        try await withTable("id int8") { connection, outside, table in
            let error = await failure {
                try await connection.transaction(deadline: .milliseconds(100)) { transaction in
                    _ = try await transaction.query("lock table \(unescaped: table)")
                    // Nothing that the driver could notice.
                    try await eventually("the lock is free") {
                        try outside.query(
                            "select from pg_locks where relation = \(table)::regclass and granted"
                        ).isEmpty
                    }
                }
            }
            #expect(error == .didNotRun(.deadline(nil)))
            await connection.expectUnusable()
        }
    }
}
