/// The sizes and times of a pool.
package struct PostgresPoolConfiguration: Sendable {
    package var server: PostgresConfiguration
    /// Connections that the pool keeps open.
    package var connections: Int
    /// Statements in the pipeline of one connection.
    ///
    /// Deeper means fewer wake-ups and more neighbours that a
    /// slow statement holds up.
    package var depth: Int
    /// Statements that may wait for a place; more are refused with `queueFull`.
    package var waitingLimit: Int
    /// For statements that name none themselves; waiting included.
    package var deadline: Duration
    /// After a statement is overdue for so long without a word from the server, its connection is given up.
    package var stallLimit: Duration
    /// An idle connection is tried so often.
    package var healthCheckInterval: Duration
    /// Prepared statements that each connection keeps.
    package var preparedLimit: Int
    /// Connections beside the pool's own that `withExclusiveConnection` may have open at a time.
    package var exclusiveConnections: Int
    /// How long `run` lets accepted statements end when it is asked to stop.
    package var shutdownLimit: Duration

    package init(
        server: PostgresConfiguration, connections: Int = 4, depth: Int = 64, waitingLimit: Int = 10_000,
        deadline: Duration = .seconds(5), stallLimit: Duration = .seconds(5),
        healthCheckInterval: Duration = .seconds(10), preparedLimit: Int = 256, exclusiveConnections: Int = 2,
        shutdownLimit: Duration = .seconds(5)
    ) {
        self.server = server
        self.connections = connections
        self.depth = depth
        self.waitingLimit = waitingLimit
        self.deadline = deadline
        self.stallLimit = stallLimit
        self.healthCheckInterval = healthCheckInterval
        self.preparedLimit = preparedLimit
        self.exclusiveConnections = exclusiveConnections
        self.shutdownLimit = shutdownLimit
    }
}

/// A pool at one instant; the totals count from its start.
package struct PostgresPoolStatistics: Sendable, Equatable {
    package var connections = 0
    /// Connections that take statements now.
    package var ready = 0
    package var inFlight = 0
    package var waiting = 0

    /// Statements that were given to the server.
    package var sentTotal = 0
    /// Refused by the server with an SQLSTATE.
    package var failedTotal = 0
    /// Ended as `mayHaveRun`.
    package var unknownTotal = 0
    /// Ended as `didNotRun`.
    package var notRunTotal = 0
    package var connectedTotal = 0
    package var connectFailedTotal = 0
    package var lostTotal = 0
}
