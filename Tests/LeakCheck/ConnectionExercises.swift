import Glibc
import PostgresDriver

/// Connections of their own: transactions, scripts, refusals, and the blocking kind.
enum ConnectionExercises {
    static let all = [
        Exercise("transactions", Self.transactions), Exercise("connections refused", Self.refused),
        Exercise("a server that says nothing", Self.silent), Exercise("blocking connections", Self.blocking),
    ]

    private struct ChangedMind: Error {}

    private static func transactions(_ around: Surroundings) async throws {
        let table = PostgresStatement(unescaped: Surroundings.table)
        let connection = try await PostgresConnection.connect(
            around.postgres, loop: around.loop, logger: Surroundings.logger)
        try await connection.execute(script: "select 1; select 2; select generate_series(1, 100)")
        await around.tally.count(.rolledBack) {
            do {
                try await connection.transaction(deadline: .seconds(5)) { transaction in
                    _ = try await transaction.query("insert into \(table) values (1, 'for a moment')")
                    throw ChangedMind()
                }
            } catch is ChangedMind {}
        }
        await around.tally.count {
            try await connection.transaction(deadline: .seconds(5)) { transaction in
                _ = try await transaction.query("select 1 / 0")
            }
        }
        await withTaskGroup { group in
            group.addTask {
                await around.tally.count {
                    try await connection.transaction(deadline: .seconds(5)) { transaction in
                        _ = try await transaction.query("select pg_sleep(1)")
                    }
                }
            }
            for _ in 0..<10 { await Task.yield() }
            group.cancelAll()
        }
        // Not closed: what nobody holds any more closes by itself.
    }

    private static func refused(_ around: Surroundings) async throws {
        var wrongDatabase = around.postgres
        wrongDatabase.parameters["dbname"] = "there_is_no_such_database"
        let nowhere = PostgresConfiguration(connectionString: "host=127.0.0.1 port=1 user=nobody dbname=none")
        let noSocket = PostgresConfiguration(connectionString: "host=/nonexistent user=nobody dbname=none")
        for configuration in [wrongDatabase, nowhere, noSocket] {
            await around.tally.count {
                _ = try await PostgresConnection.connect(
                    configuration, loop: around.loop, logger: Surroundings.logger)
            }
            await around.tally.count {
                _ = try BlockingPostgresConnection(configuration, deadline: .seconds(1))
            }
        }
    }

    private static func silent(_ around: Surroundings) async throws {
        let server = try SilentServer()
        defer { server.close() }
        let configuration = PostgresConfiguration(
            connectionString: "host=127.0.0.1 port=\(server.port) user=nobody dbname=none sslmode=disable",
            connectDeadline: .milliseconds(3))
        await around.tally.count {
            _ = try await PostgresConnection.connect(
                configuration, loop: around.loop, logger: Surroundings.logger)
        }
    }

    private static func blocking(_ around: Surroundings) async throws {
        let connection = try BlockingPostgresConnection(around.postgres, deadline: .seconds(5))
        await around.tally.count {
            let rows = try connection.query(
                "select n, n::text from generate_series(1, 50) as n", deadline: .seconds(5))
            for row in rows { _ = try row.decode(Int32.self, String.self) }
        }
        await around.tally.count { _ = try connection.query("select 1 / 0", deadline: .seconds(5)) }
        await around.tally.count {
            try connection.execute(script: "select 1; select 2", deadline: .seconds(5))
        }
        await around.tally.count {
            _ = try connection.query("select pg_sleep(1)", deadline: .milliseconds(2))
        }
        guard !connection.isOpen else { throw LeakCheckFailure("a late answer left the connection open") }
    }
}

/// Accepts connections, in the kernel, and never says anything.
struct SilentServer {
    private let descriptor: CInt
    let port: UInt16

    init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 10) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isListening else { throw LeakCheckFailure("no socket to listen on: errno \(errno)") }
        self.descriptor = descriptor
        self.port = UInt16(bigEndian: address.sin_port)
    }

    func close() { _ = Glibc.close(self.descriptor) }
}
