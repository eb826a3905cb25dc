import PostgresDriver
import ReadinessLoop
import Testing

/// Cancellation that reaches the server.
struct ServerCancelTests {
    @Test func `a passed deadline ends the statement at the server, and the connection works on`()
        async throws
    {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            let start = ContinuousClock.now
            let error = await failure {
                _ = try await connection.query("select pg_sleep(15)", deadline: .milliseconds(200))
            }
            #expect(error == .mayHaveRun(.deadline))
            #expect(start.duration(to: .now) < .seconds(1))
            try await connection.expectWorking(backend)
            #expect(start.duration(to: .now) < .seconds(3))
            #expect(try outside.waitEvent(backend) == "ClientRead")
        }
    }

    @Test func `a cancelled task ends a statement and a script at the server`() async throws {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            for isScript in [false, true] {
                try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                    group.addTask {
                        await failure {
                            if isScript {
                                try await connection.execute(script: "select 1; select pg_sleep(15)")
                            } else {
                                _ = try await connection.query("select pg_sleep(15)")
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
    }

    /// Deadlines of about the time that the statement takes: many cancellations come too late.
    @Test func `a late cancellation never hits the next statement`() async throws {
        try await withConnection { connection in
            var givenUp = 0
            for round in 0..<300 {
                let first = await failure {
                    _ = try await connection.query(
                        "select pg_sleep(0.002)", deadline: .microseconds(1500 + 10 * (round % 150)))
                }
                if first == .mayHaveRun(.deadline) { givenUp += 1 }
                #expect(first == nil || first == .mayHaveRun(.deadline))
                let rows = try await connection.query("select \(round), pg_sleep(0.001)")
                #expect(try rows[0][0, as: Int.self] == round)
            }
            #expect(givenUp > 0)
        }
    }

    @Test func `a neighbour in the pipeline is not cancelled with it`() async throws {
        let lock = try HeldLock()
        try await withConnection { connection in
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure {
                        _ = try await connection.query(
                            "select pg_advisory_lock(\(lock.key))", deadline: .seconds(15))
                    }
                }
                _ = try await lock.waiter()
                // In the pipeline behind the first; it gives up long before its turn.
                let second = await failure {
                    _ = try await connection.query("select 2", deadline: .milliseconds(100))
                }
                #expect(second == .mayHaveRun(.deadline))
                lock.release()
                #expect(try await group.next() == .some(nil))
            }
            let row = try await connection.query("select 3")[0]
            #expect(try row[0, as: Int32.self] == 3)
        }
    }

    @Test func `statements wait for a cancellation within their own deadline`() async throws {
        try await withConnection { connection in
            // Cannot be cancelled for a while: it catches the cancellation and sleeps on.
            let stubborn = """
                do $$ begin perform pg_sleep(10);
                exception when query_canceled then perform pg_sleep(10); end $$
                """
            let backend = try await connection.backend()
            let first = await failure {
                _ = try await connection.query(
                    PostgresStatement(unescaped: stubborn).unprepared(), deadline: .milliseconds(100))
            }
            #expect(first == .mayHaveRun(.deadline))
            let second = await failure {
                _ = try await connection.query("select 1", deadline: .milliseconds(1))
            }
            #expect(second == .didNotRun(.deadline(nil)))
            // Asked again, the server ends even this one.
            try await connection.expectWorking(backend)
        }
    }

    @Test func `closing ends what the server still does`() async throws {
        let outside = try Outside()
        try await withConnection { connection in
            let backend = try await connection.backend()
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask { await failure { _ = try await connection.query("select pg_sleep(15)") } }
                try await outside.eventuallyWaits(backend, for: "PgSleep")
                await connection.close()
                let error = try await group.next() ?? nil
                #expect(error == .mayHaveRun(.connectionLost("closed by its owner")))
            }
            try await eventually("the backend is gone") { try !outside.isAlive(backend) }
        }
    }
}
