import Foundation
import PostgresDriver
import ReadinessLoop
import Synchronization
import Testing

/// A second session, which looks at the first from outside.
///
/// Used by one test, which never calls it from two threads at once.
final class Outside: @unchecked Sendable {
    private let connection: BlockingPostgresConnection

    init() throws {
        self.connection = try BlockingPostgresConnection(TestServer.configuration(), deadline: .seconds(5))
    }

    @discardableResult
    func query(_ statement: PostgresStatement) throws -> PostgresRows {
        try self.connection.query(statement, deadline: .seconds(10))
    }

    func execute(_ script: String) throws {
        try self.connection.execute(script: script, deadline: .seconds(10))
    }

    func terminate(_ backend: Int32) throws {
        try self.query("select pg_terminate_backend(\(backend))")
    }

    func count(_ table: String) throws -> Int {
        try self.query("select count(*) from \(unescaped: table)")[0][0, as: Int.self]
    }

    /// What a backend waits for; nil when it works.
    func waitEvent(_ backend: Int32) throws -> String? {
        try self.query("select wait_event from pg_stat_activity where pid = \(backend)")
            .first.flatMap { try $0[0, as: String?.self] }
    }

    func isAlive(_ backend: Int32) throws -> Bool {
        try !self.query("select from pg_stat_activity where pid = \(backend)").isEmpty
    }

    func eventuallyWaits(_ backend: Int32, for event: String) async throws {
        try await eventually("backend \(backend) waits for \(event)") {
            try self.waitEvent(backend) == event
        }
    }
}

extension PostgresConnection {
    func backend() async throws -> Int32 {
        try await self.query("select pg_backend_pid()")[0][0, as: Int32.self]
    }

    /// Fails unless the connection works and is the same as before.
    func expectWorking(_ backend: Int32) async throws {
        #expect(try await self.backend() == backend)
    }

    func expectUnusable() async {
        let error = await failure { _ = try await self.query("select 1") }
        switch error {
        case .didNotRun(.closed), .didNotRun(.notConnected), .mayHaveRun(.connectionLost): break
        default: Issue.record("unexpected: \(String(describing: error))")
        }
    }
}

/// Resident memory of this process, in bytes.
func residentMemory() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (Int(fields[1]) ?? 0) * 4096
}

/// Descriptors that this process has open.
func openDescriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
}

/// Counts, for any task.
final class Counter: Sendable {
    private let value = Mutex(0)
    var count: Int { self.value.withLock { $0 } }
    func add(_ number: Int = 1) { self.value.withLock { $0 += number } }
}

/// A table that lives as long as `body`, and a session outside.
func withTable(
    _ columns: String, _ body: (PostgresConnection, Outside, String) async throws -> Void
) async throws {
    let outside = try Outside()
    let table = TestServer.uniqueName("exclusive")
    try outside.execute("create table \(table) (\(columns))")
    try await withConnection { connection in try await body(connection, outside, table) }
    try outside.execute("drop table \(table)")
}
