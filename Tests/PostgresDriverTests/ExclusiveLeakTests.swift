import PostgresDriver
import ReadinessLoop
import Testing

/// Descriptors and sessions after much trouble.
struct ExclusiveLeakTests {
    private struct Enough: Error {}

    private func trouble(_ kind: Int, _ connection: PostgresConnection, _ outside: Outside) async throws {
        let backend = try await connection.backend()
        switch kind {
        case 0:
            try await connection.withRows("select generate_series(1, 1000000)", deadline: .seconds(5)) {
                rows in
                for try await _ in rows { throw Enough() }
            }
        case 1:
            try await connection.withRows("select generate_series(1, 1000000)", deadline: .seconds(5)) {
                rows in
                var isFirst = true
                for try await _ in rows where isFirst {
                    try outside.terminate(backend)
                    isFirst = false
                }
            }
        case 2:
            try await connection.execute(script: "create temporary table fed (id int8)")
            _ = try await connection.copyIn("copy fed from stdin", deadline: .seconds(5)) { writer in
                try await writer.write("1\n")
                try outside.terminate(backend)
                while true { try await writer.write("2\n") }
            }
        case 3:
            try await connection.withCopyOut(
                "copy (select generate_series(1, 1000000)) to stdout", deadline: .seconds(5)
            ) { output in
                for try await _ in output { throw Enough() }
            }
        default:
            _ = try await connection.query("select pg_sleep(5)", deadline: .milliseconds(20))
        }
    }

    @Test func `no descriptor stays open, whatever happened`() async throws {
        let outside = try Outside()
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        var before = 0
        for round in 0..<60 {
            if round == 10 { before = try openDescriptors() }
            let connection = try await PostgresConnection.connect(
                TestServer.configuration(), loop: loop, logger: TestServer.logger)
            do {
                try await self.trouble(round % 5, connection, outside)
                Issue.record("no trouble in round \(round)")
            } catch is Enough {
            } catch is PostgresError {
            }
            await connection.close()
        }
        try await eventually("the descriptors are closed") { try openDescriptors() <= before + 1 }
        try await eventually("the sessions are gone") {
            try outside.query(
                """
                select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
                """
            ).count <= 1
        }
    }

    @Test func `connections that nobody closes go with their last owner`() async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let before = try openDescriptors()
        for _ in 0..<20 {
            let connection = try await PostgresConnection.connect(
                TestServer.configuration(), loop: loop, logger: TestServer.logger)
            _ = try await connection.query("select 1")
        }
        try await eventually("the descriptors are closed") { try openDescriptors() <= before }
    }

    @Test func `a cancelled or late attempt to connect leaves nothing`() async throws {
        let silent = try SilentServer()
        var server = silent.configuration
        server.connectDeadline = .seconds(60)
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let before = try openDescriptors()
        let start = ContinuousClock.now
        let late = await failure {
            _ = try await PostgresConnection.connect(
                server, within: .milliseconds(100), loop: loop, logger: TestServer.logger)
        }
        #expect(late == .didNotRun(.deadline(nil)))
        let cancelled = await withTaskGroup(of: PostgresError?.self) { group in
            group.addTask { [server] in
                await failure {
                    _ = try await PostgresConnection.connect(server, loop: loop, logger: TestServer.logger)
                }
            }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(cancelled == .didNotRun(.cancelled))
        #expect(start.duration(to: .now) < .seconds(5))
        try await eventually("the descriptors are closed") { try openDescriptors() <= before }
    }
}
