import Foundation
import Glibc
import PostgresDriver
import ReadinessLoop
import Synchronization
import Testing

/// Where the parts of the driver meet: pipeline and cork, cork and COPY, loop and pool, libpq and its socket.
struct SeamTests {
    private func connected(
        through proxy: FaultProxy, _ body: (PostgresConnection) async throws -> Void
    ) async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        var configuration = try TestServer.configuration()
        configuration.parameters = ["host": "127.0.0.1", "port": "\(proxy.port)"]
        let connection = try await PostgresConnection.connect(
            configuration, loop: loop, logger: TestServer.logger)
        try await body(connection)
        await connection.close()
    }

    private func proxy() throws -> FaultProxy {
        let address = try TestServer.address()
        return try FaultProxy(to: Int(address.port) ?? 0)
    }

    @Test func `dropping a prepared statement is no reason to cancel anything`() async throws {
        let proxy = try self.proxy()
        defer { proxy.close() }
        try await self.connected(through: proxy) { connection in
            for number in 0..<200 {
                _ = try await connection.query("select \(number) as \(unescaped: "c\(number)")")
            }
            // A cancellation takes a connection of its own.
            #expect(proxy.connectionsEver == 1)
        }
    }

    @Test func `a task that was cancelled before it asks is not sent, on the loop too`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let pool = try PostgresPool(changed { $0.connections = 1 }, loop: loop, logger: TestServer.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            _ = try await pool.query("select 1")
            let task = Task(executorPreference: LoopTaskExecutor(loop)) {
                withUnsafeCurrentTask { $0?.cancel() }
                return await failure { _ = try await pool.query("select 2") }
            }
            #expect(await task.value == .didNotRun(.cancelled))
            #expect(await pool.statistics().sentTotal == 1)
        }
    }

    @Test(arguments: [100_000, 300_000, 600_000, 1_200_000])
    func `an answer that libpq reads while it writes is handed on at once`(size: Int) async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let pool = try PostgresPool(changed { $0.connections = 1 }, loop: loop, logger: TestServer.logger)
        let executor = LoopTaskExecutor(loop)
        let lock = try HeldLock()
        let text = String(repeating: "x", count: size)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            defer { group.cancelAll() }
            _ = try await pool.query("select 1")
            // All in one turn: eight statements leave, their answers come, and a large one fills the socket.
            loop.execute { poll(nil, 0, 100) }
            let small = (0..<8).map { number in
                Task(executorPreference: executor) {
                    await failure { _ = try await pool.query("select \(number)", deadline: .seconds(2)) }
                }
            }
            loop.execute { poll(nil, 0, 100) }
            let large = Task(executorPreference: executor) {
                await failure {
                    _ = try await pool.query(
                        "select length(\(text)), pg_advisory_lock(\(lock.key))", deadline: .seconds(10))
                }
            }
            loop.execute { poll(nil, 0, 100) }
            for task in small { #expect(await task.value == nil) }
            lock.release()
            #expect(await large.value == nil)
        }
    }

    @Test func `a thread that comes after the loop's is not taken for it`() async throws {
        for _ in 0..<20 {
            let loop = try ReadinessLoop(label: "test")
            loop.shutdown()
            try await eventually("the loop has stopped") { !loop.execute {} }
            // The system gives a new thread the name of one that has ended.
            let mistakes = Mutex(0)
            for _ in 0..<20 {
                await withCheckedContinuation { continuation in
                    Thread {
                        if loop.isCurrent { mistakes.withLock { $0 += 1 } }
                        continuation.resume()
                    }.start()
                }
            }
            #expect(mistakes.withLock { $0 } == 0)
        }
    }

    @Test func `a blocking connection that has prepared much can still roll back`() throws {
        let connection = try BlockingPostgresConnection(TestServer.configuration(), deadline: .seconds(5))
        for number in 0..<16 {
            _ = try connection.query("select \(number) as \(unescaped: "c\(number)")", deadline: .seconds(5))
        }
        try connection.execute(script: "begin", deadline: .seconds(5))
        #expect(throws: PostgresError.self) {
            try connection.query(PostgresStatement("select 1 / 0").unprepared(), deadline: .seconds(5))
        }
        _ = try connection.query("rollback", deadline: .seconds(5))
        _ = try connection.query("select 17", deadline: .seconds(5))
    }

    @Test(.timeLimit(.minutes(1)))
    func `a COPY given up while the server talks back leaves the connection whole`() async throws {
        let outside = try Outside()
        let table = TestServer.uniqueName("chatty")
        try outside.execute(
            """
            create table \(table) (a int8, b text);
            create function \(table)_f() returns trigger language plpgsql as $$
            begin raise notice 'a row, and quite a lot of words about it'; perform pg_sleep(0.0005);
            return new; end $$;
            create trigger t before insert on \(table) for each row execute function \(table)_f();
            """)
        defer { try? outside.execute("drop table \(table); drop function \(table)_f") }
        let piece =
            (0..<5_000).map { "\($0)\t" + String(repeating: "x", count: 100) }.joined(separator: "\n") + "\n"
        let bytes = Array(piece.utf8)
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let connection = try await PostgresConnection.connect(
            TestServer.configuration(), loop: loop, logger: TestServer.logger)
        let backend = try await connection.backend()
        for round in 0..<20 {
            let error = await failure {
                _ = try await connection.copyIn(
                    "copy \(unescaped: table) from stdin", deadline: .milliseconds(60 + 13 * round)
                ) { writer in
                    while true { try await writer.write(bytes) }
                }
            }
            #expect(error == .didNotRun(.deadline(nil)))
            try await connection.expectWorking(backend)
        }
        await connection.close()
        #expect(try outside.count(table) == 0)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a reset in the midst of a COPY or a stream is an error and nothing worse`() async throws {
        let proxy = try self.proxy()
        defer { proxy.close() }
        let table = TestServer.uniqueName("reset")
        let outside = try Outside()
        try outside.execute("create table \(table) (a text)")
        defer { try? outside.execute("drop table \(table)") }
        let bytes = Array(String(repeating: String(repeating: "x", count: 99) + "\n", count: 10_000).utf8)
        for round in 0..<20 {
            try await self.connected(through: proxy) { connection in
                let pieces = Atomic<Int>(0)
                let error = await failure {
                    _ = try await connection.copyIn(
                        "copy \(unescaped: table) from stdin", deadline: .seconds(5)
                    ) { writer in
                        while true {
                            try await writer.write(bytes)
                            if pieces.add(1, ordering: .relaxed).newValue == 3 + round % 3 {
                                proxy.resetAll()
                            }
                        }
                    }
                }
                #expect(error?.surelyChangedNothing == true)
            }
            try await self.connected(through: proxy) { connection in
                let error = await failure {
                    try await connection.withRows(
                        "select repeat('x', 1000) from generate_series(1, 1000000)", deadline: .seconds(5),
                        bufferLimit: 20_000
                    ) { rows in
                        var seen = 0
                        for try await _ in rows {
                            seen += 1
                            if seen == 500 + round { proxy.resetAll() }
                        }
                    }
                }
                #expect(error != nil)
            }
        }
    }
}
