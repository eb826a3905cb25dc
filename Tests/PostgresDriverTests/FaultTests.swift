import PostgresDriver
import ReadinessLoop
import Testing

/// What becomes of statements when things go wrong.
struct FaultTests {
    @Test func `a terminated backend leaves no statement without its true answer`() async throws {
        let lock = try HeldLock()
        try await withPool(
            changed {
                $0.connections = 1
                $0.depth = 4
            }
        ) { pool in
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure { _ = try await pool.query("select pg_advisory_lock(\(lock.key))") }
                }
                let backend = try await lock.waiter()
                for _ in 0..<3 {
                    group.addTask { await failure { _ = try await pool.query("select 1") } }
                }
                try await eventually("the pipeline is full") { await pool.statistics().inFlight == 4 }
                group.addTask { await failure { _ = try await pool.query("select 'waited'") } }
                try await eventually("one waits") { await pool.statistics().waiting == 1 }
                try lock.terminate(backend)
                var counts: [String: Int] = [:]
                for try await error in group {
                    switch error {
                    case .mayHaveRun(.connectionLost): counts["may have run", default: 0] += 1
                    case .didNotRun(.notConnected): counts["did not run", default: 0] += 1
                    case nil: counts["ran on the next connection", default: 0] += 1
                    default: Issue.record("unexpected: \(String(describing: error))")
                    }
                }
                #expect(counts == ["may have run": 1, "did not run": 3, "ran on the next connection": 1])
            }
            let statistics = await pool.statistics()
            #expect(statistics.lostTotal == 1)
            #expect(statistics.connectedTotal == 2)
        }
    }

    @Test func `a pool without a server answers within the deadline and says why`() async throws {
        try await withPool(changed { $0.server = TestServer.nowhere }) { pool in
            let start = ContinuousClock.now
            let error = await failure { _ = try await pool.query("select 1", deadline: .seconds(1)) }
            guard case .didNotRun(.deadline(let reason?)) = error else {
                Issue.record("unexpected: \(String(describing: error))")
                return
            }
            #expect(reason.contains("/nonexistent"))
            #expect(start.duration(to: .now) < .seconds(3))
        }
    }

    @Test func `a server that accepts and says nothing is no server`() async throws {
        let silent = try SilentServer()
        try await withPool(changed { $0.server = silent.configuration }) { pool in
            let error = await failure { _ = try await pool.query("select 1", deadline: .seconds(1)) }
            guard case .didNotRun(.deadline(let reason?)) = error else {
                Issue.record("unexpected: \(String(describing: error))")
                return
            }
            #expect(reason.contains("no session within"))
        }
    }

    @Test func `a silent first host does not keep us from the second`() async throws {
        let silent = try SilentServer()
        let real = try TestServer.configuration()
        let host = try await withConnection { connection in
            try await connection.query(
                """
                select split_part(current_setting('unix_socket_directories'), ',', 1),
                    current_setting('port')
                """)[0].decode(String.self, String.self)
        }
        var both = real
        both.parameters = ["host": "127.0.0.1,\(host.0)", "port": "\(silent.port),\(host.1)"]
        both.parameters["target_session_attrs"] = "read-write"
        both.connectDeadline = .milliseconds(300)
        try await withPool(changed { $0.server = both }) { pool in
            let row = try await pool.query("select 1")[0]
            #expect(try row[0, as: Int.self] == 1)
        }
    }

    @Test func `a pool that does not run yet keeps deadlines`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let pool = try PostgresPool(
            PostgresPoolConfiguration(server: TestServer.configuration()), loop: loop,
            logger: TestServer.logger)
        let error = await failure { _ = try await pool.query("select 1", deadline: .milliseconds(50)) }
        #expect(error == .didNotRun(.deadline(nil)))
    }

    @Test func `who finds the queue full is told so`() async throws {
        try await withPool(
            changed {
                $0.server = TestServer.nowhere
                $0.waitingLimit = 2
            }
        ) { pool in
            await withTaskGroup(of: PostgresError?.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        await failure { _ = try await pool.query("select 1", deadline: .milliseconds(500)) }
                    }
                }
                var full = 0
                for await error in group where error == .didNotRun(.queueFull) { full += 1 }
                #expect(full == 3)
            }
        }
    }

    @Test func `ten thousand waiters without a server all get their answer`() async throws {
        try await withPool(changed { $0.server = TestServer.nowhere }) { pool in
            let answered = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<10_000 {
                    group.addTask {
                        let error = await failure {
                            _ = try await pool.query("select 1", deadline: .milliseconds(200))
                        }
                        return error?.surelyChangedNothing ?? false
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(answered == 10_000)
            #expect(await pool.statistics().waiting == 0)
        }
    }

    @Test func `a sent statement whose deadline passes may have run, its neighbours go on`() async throws {
        let lock = try HeldLock()
        try await withPool(changed { $0.connections = 1 }) { pool in
            _ = try await pool.query("select 0")  // Connected before the short deadlines begin.
            let late = await failure {
                _ = try await pool.query("select pg_advisory_lock(\(lock.key))", deadline: .milliseconds(200))
            }
            #expect(late == .mayHaveRun(.deadline))
            // The connection is held up, so nothing new is sent on it.
            let queued = await failure { _ = try await pool.query("select 1", deadline: .milliseconds(100)) }
            #expect(queued == .didNotRun(.deadline(nil)))
            lock.release()
            let row = try await pool.query("select 2")[0]
            #expect(try row[0, as: Int.self] == 2)
            #expect(await pool.statistics().connectedTotal == 1)
        }
    }

    @Test func `a connection that says nothing for too long is given up`() async throws {
        let lock = try HeldLock()
        try await withPool(
            changed {
                $0.connections = 1
                $0.stallLimit = .milliseconds(200)
            }
        ) { pool in
            _ = try await pool.query("select 0")  // Connected before the short deadlines begin.
            let late = await failure {
                _ = try await pool.query("select pg_advisory_lock(\(lock.key))", deadline: .milliseconds(100))
            }
            #expect(late == .mayHaveRun(.deadline))
            let row = try await pool.query("select 3")[0]
            #expect(try row[0, as: Int.self] == 3)
            #expect(await pool.statistics().lostTotal == 1)
        }
    }

    @Test func `a cancelled task stops waiting and disturbs nobody`() async throws {
        let lock = try HeldLock()
        try await withPool(
            changed {
                $0.connections = 1
                $0.depth = 1
            }
        ) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let sent = Task {
                    await failure { _ = try await pool.query("select pg_advisory_lock(\(lock.key))") }
                }
                _ = try await lock.waiter()
                let waiting = Task { await failure { _ = try await pool.query("select 1") } }
                try await eventually("one waits") { await pool.statistics().waiting == 1 }
                waiting.cancel()
                #expect(await waiting.value == .didNotRun(.cancelled))
                sent.cancel()
                #expect(await sent.value == .mayHaveRun(.cancelled))
                group.addTask {
                    let row = try await pool.query("select 4")[0]
                    #expect(try row[0, as: Int.self] == 4)
                }
                try await eventually("the next one waits") { await pool.statistics().waiting == 1 }
                lock.release()
                try await group.waitForAll()
            }
        }
    }

    @Test func `a task that was cancelled before sends nothing`() async throws {
        try await withPool { pool in
            let error = await withTaskGroup(of: PostgresError?.self) { group in
                group.cancelAll()
                group.addTask { await failure { _ = try await pool.query("select 1") } }
                return await group.next() ?? nil
            }
            #expect(error == .didNotRun(.cancelled))
            #expect(await pool.statistics().sentTotal == 0)
        }
    }

    /// A cancellation may overtake the statement on its way to the loop.
    @Test func `cancellation at any moment leaves nobody waiting`() async throws {
        try await withPool { pool in
            let answered = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<2000 {
                    group.addTask {
                        let error = await failure { _ = try await pool.query("select \(number)") }
                        return [nil, .didNotRun(.cancelled), .mayHaveRun(.cancelled)].contains(error)
                    }
                    if number % 100 == 99 { await Task.yield() }
                }
                group.cancelAll()
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(answered == 2000)
            let rows = try await pool.query("select 1")
            #expect(rows.count == 1)
        }
    }

    @Test func `stopping lets accepted statements end and refuses new ones`() async throws {
        let lock = try HeldLock()
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let pool = try PostgresPool(
            PostgresPoolConfiguration(server: TestServer.configuration(), connections: 1), loop: loop,
            logger: TestServer.logger)
        let run = Task { await pool.run() }
        let accepted = Task {
            try await pool.query("select pg_advisory_lock(\(lock.key)), 5")[0][1, as: Int.self]
        }
        _ = try await lock.waiter()
        run.cancel()
        try await eventually("new ones are refused") {
            await failure { _ = try await pool.query("select 1", deadline: .milliseconds(50)) }
                == .didNotRun(.closed)
        }
        lock.release()
        #expect(try await accepted.value == 5)
        await run.value
        #expect(await pool.statistics().connections == 0)
    }
}
