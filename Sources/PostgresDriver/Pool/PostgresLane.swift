/// Names statements that shall never wait behind those of another name.
///
/// A lane has its own few connections and its own queue within a pool, so whatever fills one lane, a slow
/// report or ten thousand uploads, leaves the others as they were. Which lanes a pool has is a matter of its
/// configuration; a lane that it does not name is the ordinary one.
package struct PostgresLane: Sendable, Hashable, CustomStringConvertible {
    package let name: String

    package init(_ name: String) { self.name = name }

    package var description: String { self.name }

    /// Where statements go that name no lane; every pool has it.
    package static let ordinary = PostgresLane("ordinary")
    /// For the short statements that decide who may do what, and that must not wait for the work itself.
    package static let claims = PostgresLane("claims")
}

/// The sizes of one lane.
package struct PostgresLaneSizes: Sendable, Hashable {
    /// Connections that the lane keeps open.
    package var connections: Int
    /// Statements in the pipeline of one connection.
    ///
    /// Deeper means fewer wake-ups and more neighbours that a slow statement holds up.
    package var depth: Int
    /// Statements that may wait for a place; more are refused with `queueFull`.
    package var waitingLimit: Int
    /// Beside those of the pool's server, and before them.
    package var sessionSettings: [String: String]

    package init(
        connections: Int, depth: Int = 64, waitingLimit: Int = 10_000, sessionSettings: [String: String] = [:]
    ) {
        self.connections = connections
        self.depth = depth
        self.waitingLimit = waitingLimit
        self.sessionSettings = sessionSettings
    }
}
