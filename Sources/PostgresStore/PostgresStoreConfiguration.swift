package import PostgresDriver

/// How a node connects: one database, a pool for statements with a lane for claims, and lines of their own for
/// heartbeats.
package struct PostgresStoreConfiguration: Sendable {
    /// Libpq's keywords or URI; several hosts are fine, the writable one is taken.
    package var connectionString: String
    /// Shown in `pg_stat_activity` as `flotilla <node>`.
    package var node: String
    /// Connections of the pool for ordinary work; claims have one more.
    package var connections: Int

    package init(connectionString: String, node: String, connections: Int = 4) {
        self.connectionString = connectionString
        self.node = node
        self.connections = connections
    }

    package var pool: PostgresPoolConfiguration {
        var pool = PostgresPoolConfiguration(
            server: self.server(["statement_timeout": "10s"]), connections: self.connections)
        pool.knowsSessions = true
        // Claims are short and few; what they must not do is wait behind uploads and reports.
        pool.lanes[.claims] = PostgresLaneSizes(
            connections: Self.claimConnections, waitingLimit: 1_000, sessionSettings: Self.claimSettings)
        return pool
    }

    private static let claimConnections = 1

    /// For statements that look up keys, whatever the statistics say: a table of jobs that was empty when its plan was
    /// made, and looked cheap to read from end to end, may have a million rows before anybody counts them.
    ///
    /// And planned once: the few statements of this lane have the same plan whatever their values are, and planning
    /// a claim takes as long as running it.
    package static let claimSettings = [
        "enable_seqscan": "off", "jit": "off", "plan_cache_mode": "force_generic_plan",
    ]

    /// One beats, the other one holds the lock.
    private static let heartbeatConnections = 2

    /// Database connections that one node holds at most while it runs.
    package var connectionsInAll: Int {
        self.connections + Self.claimConnections + Self.heartbeatConnections
    }

    /// For ``PostgresHeartbeatLines``: nothing of a heartbeat needs to survive a crash of the server.
    package var heartbeats: PostgresConfiguration {
        self.server(["statement_timeout": "1s", "synchronous_commit": "off"])
    }

    private func server(_ settings: [String: String]) -> PostgresConfiguration {
        let common = [
            // Compiling takes longer than any statement of ours should.
            "jit": "off",
            "lock_timeout": "2s", "idle_in_transaction_session_timeout": "5s",
            "client_connection_check_interval": "2s",
            // A statement that waited for a lock must not see what was there before (docs/QUEUE.md, hot tables).
            "default_transaction_isolation": "read committed",
            // The server gives up a silent client after 11 s. Less than the slow window would let go the
            // advisory lock of a node that is only frozen.
            "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
            "tcp_user_timeout": "10000",
        ]
        return PostgresConfiguration(
            connectionString: self.connectionString,
            parameters: [
                "application_name": "flotilla \(self.node)", "target_session_attrs": "read-write",
                // The client gives up a silent server: reads after 5 s, writes after 5 s.
                "keepalives": "1", "keepalives_idle": "2", "keepalives_interval": "1",
                "keepalives_count": "3",
                "tcp_user_timeout": "5000",
            ],
            sessionSettings: common.merging(settings) { _, special in special })
    }
}
