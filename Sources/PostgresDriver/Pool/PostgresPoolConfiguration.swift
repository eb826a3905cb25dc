/// The sizes and times of a pool.
package struct PostgresPoolConfiguration: Sendable {
    package var server: PostgresConfiguration
    /// Connections that the ordinary lane keeps open.
    package var connections: Int
    /// Statements in the pipeline of one connection of the ordinary lane.
    package var depth: Int
    /// Statements of the ordinary lane that may wait for a place; more are refused with `queueFull`.
    package var waitingLimit: Int
    /// Further lanes, beside the ordinary one; each has connections and a queue of its own.
    package var lanes: [PostgresLane: PostgresLaneSizes] = [:]
    /// For statements that name none themselves; waiting included.
    package var deadline: Duration
    /// After a statement is overdue for so long without a word from the server, its connection is given up.
    package var stallLimit: Duration
    /// A connection that has been silent for so long is tried.
    package var healthCheckInterval: Duration
    /// How long the answer to such a trial may take before the connection is suspected.
    package var healthCheckLimit: Duration = .seconds(2)
    /// A connection that is so old ends what it has, and is replaced; nil for never.
    ///
    /// Each gets between three quarters of it and all of it, by chance, so that they do not go together; of
    /// one lane only one is replaced at a time.
    package var maximumAge: Duration? = .seconds(3600)
    /// Each connection asks the server when its session began, so that whoever loses an answer can name the session.
    package var knowsSessions = false
    /// The pauses between attempts to connect.
    package var backOff = BackOff()
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
