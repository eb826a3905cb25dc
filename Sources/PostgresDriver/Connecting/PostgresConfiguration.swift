/// How to reach a server and what to ask of every session on it.
package struct PostgresConfiguration: Sendable {
    /// Libpq's own: `host=a,b port=5432 dbname=x target_session_attrs=read-write`, or a `postgresql://` URI.
    ///
    /// What it leaves out comes from libpq's environment variables (`PGPASSWORD` …), from service files
    /// (`service=`) and password files (`passfile=`). A password file that others may read is ignored by
    /// libpq, with a line on standard error.
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

/// Names hosts, database and user; never a password, wherever the configuration ends up in a log.
extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        let parsed = try? ConnectionTargets.parse(self.connectionString)
        guard var settings = parsed else { return "PostgresConfiguration(not valid)" }
        settings.merge(self.parameters) { $1 }
        let shown = settings.filter { ConnectionSetting.harmless.contains($0.key) }
        return "PostgresConfiguration("
            + shown.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined(separator: " ") + ")"
    }
    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: ["settings": self.description]) }
}
