package import ClusterModel
package import ClusterPorts
package import PostgresDriver

/// Opens the connections on which a node beats and holds its advisory lock.
package struct PostgresHeartbeatLines: HeartbeatLines {
    package let server: PostgresConfiguration
    package let times: MembershipTimes

    /// - Parameter server: see ``PostgresStoreConfiguration/heartbeats``. No transaction pooler may be in
    ///   between.
    package init(server: PostgresConfiguration, times: MembershipTimes = MembershipTimes()) {
        self.server = server
        self.times = times
    }

    package func open(
        for incarnation: Incarnation, within limit: Duration
    ) throws(StoreError) -> any HeartbeatLine {
        let due = ContinuousClock.now.advanced(by: limit)
        do throws(PostgresError) {
            let connection = try BlockingPostgresConnection(self.server, deadline: limit)
            // Shared, so the lines of one incarnation do not wait for each other, nor for one that is not
            // gone yet.
            let rows = try connection.query(
                "select pg_try_advisory_lock_shared(\(incarnation.rawValue))",
                deadline: ContinuousClock.now.duration(to: due))
            guard try rows.exactlyOne()[0, as: Bool.self] else {
                throw .didNotRun(
                    .invalid("somebody holds the advisory lock of incarnation \(incarnation) alone"))
            }
            return PostgresHeartbeatLine(connection: connection, times: self.times)
        } catch {
            throw StoreError(error)
        }
    }
}

/// One such connection.
///
/// Belongs to the thread that opened it.
final class PostgresHeartbeatLine: HeartbeatLine {
    private let connection: BlockingPostgresConnection
    private let times: MembershipTimes
    private var hasBeaten = false
    private var checks = 0

    /// The others only look whether the connection still stands: that notices an ended session within a period, and
    /// costs the database nothing.
    ///
    /// A path that swallows everything in silence is found by the statement.
    private static let checksPerStatement = 10

    init(connection: BlockingPostgresConnection, times: MembershipTimes) {
        self.connection = connection
        self.times = times
    }

    func beat(_ pulse: Pulse, within limit: Duration) throws(StoreError) -> HeartbeatAnswer {
        let statement = HeartbeatStatement.beat(pulse, continues: self.hasBeaten, times: self.times)
        let answer = try HeartbeatStatement.answer(self.run(statement, within: limit))
        self.hasBeaten = true
        return answer
    }

    func check(within limit: Duration) throws(StoreError) {
        defer { self.checks += 1 }
        guard self.checks.isMultiple(of: Self.checksPerStatement) || !self.connection.stands() else { return }
        // Of a connection that is gone it says so.
        _ = try self.run("select 1", within: limit)
    }

    func close() { self.connection.close() }

    /// After a failure the session may still be there, and hold the lock: the caller says when to close it.
    private func run(_ statement: PostgresStatement, within limit: Duration) throws(StoreError)
        -> PostgresRows
    {
        do throws(PostgresError) {
            return try self.connection.query(statement, deadline: limit)
        } catch {
            throw StoreError(error)
        }
    }
}
