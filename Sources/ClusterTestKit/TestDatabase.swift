package import ClusterModel
import Foundation
package import Logging
package import PostgresDriver
package import PostgresStore
package import ReadinessLoop
import Synchronization

/// A fresh, migrated database on the server of the tests, gone when the test is over.
package struct TestDatabase: Sendable {
    package let name: String
    /// For libpq, this database named in it.
    package let connectionString: String
    package let pool: PostgresPool
    package let store: PostgresStore
    package let lines: PostgresHeartbeatLines
    package let loop: ReadinessLoop
    package let logger: Logger
    /// What must live as long as the database: the connections of nodes that no test mentions any more.
    let kept = KeptObjects()

    package var configuration: PostgresStoreConfiguration {
        PostgresStoreConfiguration(connectionString: self.connectionString, node: "test", connections: 8)
    }

    /// Another store of the same database with a pool of its own, as another node has one.
    ///
    /// - Parameter deadline: of its statements; the pool's if nil.
    package func withOtherNode<Answer: Sendable>(
        deadline: Duration? = nil, _ body: (PostgresStore) async throws -> Answer
    ) async throws -> Answer {
        var configuration = self.configuration.pool
        if let deadline { configuration.deadline = deadline }
        let pool = try PostgresPool(configuration, loop: self.loop, logger: self.logger)
        return try await running(pool) { try await body(PostgresStore(pool: pool, times: self.store.times)) }
    }
}

package struct TestServerMissing: Error, CustomStringConvertible {
    package let description = "FLOTILLA_TEST_POSTGRES is not set: run the tests by `make test`"
}

/// - Parameters:
///   - migrated: false leaves the database empty.
package func withTestDatabase<Answer: Sendable>(
    migrated: Bool = true, times: MembershipTimes = MembershipTimes(),
    _ body: (TestDatabase) async throws -> Answer
) async throws -> Answer {
    guard let server = ProcessInfo.processInfo.environment["FLOTILLA_TEST_POSTGRES"] else {
        throw TestServerMissing()
    }
    let loop = try TestLoop.shared.get()
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let name = "flotilla_test_" + UUID().uuidString.lowercased().replacing("-", with: "")
    let admin = try await PostgresConnection.connect(
        PostgresConfiguration(connectionString: server), deadline: .seconds(30), loop: loop, logger: logger)
    _ = try await admin.query(PostgresStatement(unescaped: "create database \(name)"))
    let result = await Result { () async throws -> Answer in
        let text = connectionString(server, database: name)
        let configuration = PostgresStoreConfiguration(connectionString: text, node: "test", connections: 8)
        let pool = try PostgresPool(configuration.pool, loop: loop, logger: logger)
        let database = TestDatabase(
            name: name, connectionString: text, pool: pool, store: PostgresStore(pool: pool, times: times),
            lines: PostgresHeartbeatLines(server: configuration.heartbeats, times: times), loop: loop,
            logger: logger)
        return try await running(pool) {
            if migrated { try await SchemaMigrator(pool: pool, logger: logger).run() }
            return try await body(database)
        }
    }
    _ = try? await admin.query(PostgresStatement(unescaped: "drop database \(name) with (force)"))
    await admin.close()
    return try result.get()
}

/// Runs a pool for as long as the body takes.
private func running<Answer: Sendable>(
    _ pool: PostgresPool, _ body: () async throws -> Answer
) async throws -> Answer {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await pool.run() }
        let answer = try await body()
        group.cancelAll()
        return answer
    }
}

/// Libpq takes the last mention of a keyword, in both of its forms.
private func connectionString(_ server: String, database: String) -> String {
    guard server.hasPrefix("postgres://") || server.hasPrefix("postgresql://") else {
        return "\(server) dbname=\(database)"
    }
    return server + (server.contains("?") ? "&" : "?") + "dbname=\(database)"
}

final class KeptObjects: Sendable {
    private let objects = Mutex<[any AnyObject & Sendable]>([])
    func keep(_ object: any AnyObject & Sendable) { self.objects.withLock { $0.append(object) } }
}

/// One thread for all tests of a process.
private enum TestLoop {
    static let shared = Result { try ReadinessLoop(label: "tests") }
}

extension Result where Failure == any Error {
    fileprivate init(catching body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
