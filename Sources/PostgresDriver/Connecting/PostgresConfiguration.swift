/// How to reach a server and what to ask of every session on it.
package struct PostgresConfiguration: Sendable {
    /// Libpq's own: `host=a,b port=5432 dbname=x target_session_attrs=read-write`, or a `postgresql://` URI.
    ///
    /// What it leaves out comes from libpq's environment variables, service and password files.
    package var connectionString: String
    /// Overrides of single keywords of the connection string, for example `application_name`.
    package var parameters: [String: String]
    /// Settings of the server for each session, for example `statement_timeout: "5s"`; sent with the login.
    package var sessionSettings: [String: String]
    /// For one host, from the start to a session that answers; with several hosts each gets as much.
    package var connectDeadline: Duration

    package init(
        connectionString: String, parameters: [String: String] = [:], sessionSettings: [String: String] = [:],
        connectDeadline: Duration = .seconds(3)
    ) {
        self.connectionString = connectionString
        self.parameters = parameters
        self.sessionSettings = sessionSettings
        self.connectDeadline = connectDeadline
    }

    /// Finds mistakes in the connection string without connecting.
    ///
    /// - Throws: `didNotRun(.invalid)` with libpq's message.
    package func check() throws(PostgresError) {
        _ = try ConnectionTargets(self)
    }
}
