import Foundation
import Glibc
import Logging
import PostgresDriver
import ReadinessLoop
import Testing

/// The PostgreSQL that `make test` starts.
enum TestServer {
    struct Missing: Error, CustomStringConvertible {
        var description: String { "FLOTILLA_TEST_POSTGRES is not set: run the tests with `make test`" }
    }

    static func configuration() throws -> PostgresConfiguration {
        guard let text = ProcessInfo.processInfo.environment["FLOTILLA_TEST_POSTGRES"] else {
            throw Missing()
        }
        return PostgresConfiguration(connectionString: text, sessionSettings: ["statement_timeout": "20s"])
    }

    /// Where the server listens: a folder of sockets or a host, and the port.
    static func address() throws -> (host: String, port: String) {
        let connection = try BlockingPostgresConnection(Self.configuration(), deadline: .seconds(5))
        let row = try connection.query(
            """
            select coalesce(host(inet_server_addr()),
                       split_part(current_setting('unix_socket_directories'), ',', 1)),
                   current_setting('port')
            """, deadline: .seconds(5))[0]
        return try row.decode(String.self, String.self)
    }

    static let nowhere = PostgresConfiguration(connectionString: "host=/nonexistent")
    static let logger = Logger(label: "test")

    /// A name that no other test uses.
    static func uniqueName(_ prefix: String) -> String {
        prefix + "_" + UUID().uuidString.lowercased().replacing("-", with: "")
    }
}

/// The configuration of a pool of two connections, changed.
func changed(_ change: (inout PostgresPoolConfiguration) -> Void) throws -> PostgresPoolConfiguration {
    var configuration = PostgresPoolConfiguration(server: try TestServer.configuration(), connections: 2)
    change(&configuration)
    return configuration
}

/// Runs a pool around `body` and stops it afterwards.
func withPool<Answer: Sendable>(
    _ configuration: PostgresPoolConfiguration? = nil, _ body: (PostgresPool) async throws -> Answer
) async throws -> Answer {
    let configuration = try configuration ?? changed { _ in }
    let loop = try ReadinessLoop(label: "test")
    defer { loop.shutdown() }
    let pool = try PostgresPool(configuration, loop: loop, logger: TestServer.logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await pool.run() }
        defer { group.cancelAll() }
        return try await body(pool)
    }
}

func withConnection<Answer: Sendable>(
    _ body: (PostgresConnection) async throws -> Answer
) async throws -> Answer {
    let loop = try ReadinessLoop(label: "test")
    defer { loop.shutdown() }
    let connection = try await PostgresConnection.connect(
        TestServer.configuration(), loop: loop, logger: TestServer.logger)
    let answer = try await body(connection)
    await connection.close()
    return answer
}

/// An advisory lock held by a session of its own: statements that ask for it wait for as long as it is held.
///
/// Used by one test, which never calls it from two threads at once.
final class HeldLock: @unchecked Sendable {
    let key = Int64.random(in: 1...Int64.max)
    private let connection: BlockingPostgresConnection

    init() throws {
        self.connection = try BlockingPostgresConnection(TestServer.configuration(), deadline: .seconds(5))
        _ = try self.connection.query("select pg_advisory_lock(\(self.key))", deadline: .seconds(5))
    }

    /// Waits until somebody else asks for the lock, and answers whose backend that is.
    func waiter() async throws -> Int32 {
        var backend: Int32?
        try await eventually("a session waits for the lock") {
            backend = try self.currentWaiter()
            return backend != nil
        }
        return try #require(backend)
    }

    func currentWaiter() throws -> Int32? {
        let rows = try self.connection.query(
            """
            select pid from pg_locks where locktype = 'advisory' and not granted
            and (classid::int8 << 32 | objid::int8) = \(self.key)
            """, deadline: .seconds(5))
        return try rows.first.map { try $0[0, as: Int32.self] }
    }

    func terminate(_ backend: Int32) throws {
        _ = try self.connection.query("select pg_terminate_backend(\(backend))", deadline: .seconds(5))
    }

    func release() { self.connection.close() }
}

struct NeverHappened: Error, CustomStringConvertible {
    let description: String
}

/// Asks again and again until it is true, for ten seconds.
func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
    let due = ContinuousClock.now.advanced(by: .seconds(10))
    while ContinuousClock.now < due {
        if try await isTrue() { return }
        await Task.yield()
    }
    throw NeverHappened(description: "never happened: \(what)")
}

/// Accepts connections, in the kernel, and never says anything.
final class SilentServer {
    private let descriptor: CInt
    let port: UInt16

    init() throws {
        self.descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 100) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isListening else { throw NeverHappened(description: "no socket to listen on") }
        self.port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(self.descriptor) }

    var configuration: PostgresConfiguration {
        PostgresConfiguration(
            connectionString: "host=127.0.0.1 port=\(self.port) user=nobody dbname=none sslmode=disable",
            connectDeadline: .milliseconds(300))
    }
}

/// Runs the statement and answers how it failed.
func failure(_ body: () async throws -> Void) async -> PostgresError? {
    do {
        try await body()
        return nil
    } catch let error as PostgresError {
        return error
    } catch {
        Issue.record(error)
        return nil
    }
}
