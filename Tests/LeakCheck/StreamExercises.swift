import PostgresDriver
import ReadinessLoop

/// Streams, COPY and LISTEN: to their end, left early, cancelled, late, refused, and cut off.
enum StreamExercises {
    static let all = [
        Exercise("row streams", Self.streams), Exercise("copies in", Self.copiesIn),
        Exercise("copies out", Self.copiesOut), Exercise("listeners", Self.listeners),
    ]

    private static let listenerName = "leak-check-listener"

    private struct ChangedMind: Error {}

    private static func withConnection(
        _ around: Surroundings, _ body: @escaping @Sendable (PostgresConnection) async throws -> Void
    ) async throws {
        let connection = try await PostgresConnection.connect(
            around.postgres, loop: around.loop, logger: Surroundings.logger)
        await around.tally.count(.streamed) { try await body(connection) }
        await connection.close()
    }

    /// Each on a connection of its own, since some of them end it.
    private static func streams(_ around: Surroundings) async throws {
        let statement: PostgresStatement = "select n, repeat('x', 100) from generate_series(1, 20000) as n"
        for limit in [Int.max, 0, 10] {
            try await Self.withConnection(around) { connection in
                try await connection.withRows(statement, deadline: .seconds(5)) { rows in
                    var count = 0
                    for try await row in rows where count < limit {
                        _ = try row.decode(Int32.self, String.self)
                        count += 1
                        if count == limit { break }
                    }
                }
                _ = try await connection.query("select 1")
            }
        }
        try await Self.withConnection(around) { connection in
            try await connection.withRows(
                "select 1 / (n - 500) from generate_series(1, 1000) as n", deadline: .seconds(5)
            ) {
                rows in
                for try await row in rows { _ = try row[0, as: Int32.self] }
            }
        }
        try await Self.withConnection(around) { connection in
            try await connection.withRows("select pg_sleep(5)", deadline: .milliseconds(3)) { rows in
                for try await _ in rows {}
            }
        }
        await Self.cancelled {
            try await Self.withConnection(around) { connection in
                try await connection.withRows(
                    "select n, pg_sleep(0.001) from generate_series(1, 5000) as n", deadline: .seconds(5)
                ) {
                    rows in
                    for try await _ in rows {}
                }
            }
        }
    }

    private static func copiesIn(_ around: Surroundings) async throws {
        for ending in ["whole", "changed mind", "refused row", "too late"] {
            try await Self.withConnection(around) { connection in
                try await connection.execute(script: "create temp table copied (id int8, note text)")
                _ = try await connection.copyIn(
                    "copy copied from stdin", deadline: ending == "too late" ? .milliseconds(3) : .seconds(5)
                ) { writer in
                    for number in 0..<20_000 { try await writer.write("\(number)\tsome text\n") }
                    if ending == "changed mind" { throw ChangedMind() }
                    if ending == "refused row" { try await writer.write("no number\tsome text\n") }
                }
            }
        }
        try await Self.withConnection(around) { connection in
            try await connection.execute(script: "create temp table copied (id int8, note text)")
            let columns = [try PostgresIdentifier("id"), try PostgresIdentifier("note")]
            _ = try await connection.copyRows(
                into: [try PostgresIdentifier("copied")], columns: columns, deadline: .seconds(5)
            ) { writer in
                try await writer.write(contentsOf: 0..<20_000) { number, values in
                    values.append(Int64(number))
                    values.append("some text")
                }
            }
        }
    }

    private static func copiesOut(_ around: Surroundings) async throws {
        let statement: PostgresStatement =
            "copy (select n, repeat('x', 100) from generate_series(1, 20000) as n) to stdout"
        for limit in [Int.max, 0, 1] {
            try await Self.withConnection(around) { connection in
                try await connection.withCopyOut(statement, deadline: .seconds(5)) { pieces in
                    var count = 0
                    for try await _ in pieces where count < limit {
                        count += 1
                        if count == limit { break }
                    }
                }
            }
        }
        await Self.cancelled {
            try await Self.withConnection(around) { connection in
                try await connection.withCopyOut(
                    "copy (select n, pg_sleep(0.001) from generate_series(1, 5000) as n) to stdout",
                    deadline: .seconds(5)
                ) { pieces in
                    for try await _ in pieces {}
                }
            }
        }
    }

    /// Cut off once by the server, and stopped while somebody waits for the next notification.
    private static func listeners(_ around: Surroundings) async throws {
        let loop = try ReadinessLoop(label: "leak-check-listener")
        defer { loop.shutdown() }
        var configuration = PostgresListener.Configuration(
            server: around.postgres, channels: ["leak_check", "leak \"check\""], bufferLimit: 4)
        configuration.server.parameters["application_name"] = Self.listenerName
        configuration.backOff.first = .milliseconds(1)
        let listener = try PostgresListener(configuration, loop: loop, logger: Surroundings.logger)
        await withTaskGroup { group in
            group.addTask { await listener.run() }
            group.addTask { await Self.hear(listener, around) }
            await group.next()
            group.cancelAll()
        }
    }

    /// More notifications than may wait, then the end of the connection; returns when the listener is back.
    private static func hear(_ listener: PostgresListener, _ around: Surroundings) async {
        let name = Self.listenerName
        var beginnings = 0
        for await event in listener.events {
            around.tally.note(.heard)
            guard event == .missed(.notListening) else { continue }
            beginnings += 1
            guard beginnings == 1 else { break }
            for number in 0..<8 {
                let text = "\(number)"
                await around.tally.count {
                    _ = try await around.pool.query("select pg_notify('leak_check', \(text))")
                }
            }
            await around.tally.count {
                _ = try await around.pool.query(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity where application_name = \(name)
                    """)
            }
        }
    }

    /// Runs and is cancelled after a few milliseconds.
    private static func cancelled(_ body: @escaping @Sendable () async throws -> Void) async {
        await withTaskGroup { group in
            group.addTask { try? await body() }
            group.addTask {
                let due = ContinuousClock.now.advanced(by: .milliseconds(10))
                try? await eventually("ten milliseconds are over") { ContinuousClock.now > due }
            }
            await group.next()
            group.cancelAll()
        }
    }
}
