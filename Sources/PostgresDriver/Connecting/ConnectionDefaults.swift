/// What libpq adds to a connection string: its environment variables, service files and built-in defaults.
enum ConnectionDefaults {
    /// The settings as libpq would use them, without connecting to anything.
    ///
    /// Libpq tells this only of a connection. So it begins one with a setting that it cannot accept, and gives
    /// up before it has looked at any host, but after it has put everything together.
    ///
    /// - Throws: `didNotRun(.invalid)` when there is no such service, or a keyword is unknown.
    static func complete(_ settings: [String: String]) throws(PostgresError) -> [String: String] {
        var refused = settings
        refused["channel_binding"] = "none, this is only a question"
        let list = refused.sorted { $0.key < $1.key }.map { ConnectionSetting(name: $0.key, value: $0.value) }
        guard let handle = ConnectionHandle.start(list) else { throw .didNotRun(.invalid("out of memory")) }
        let message = handle.errorMessage
        guard message.contains("channel_binding") else {
            throw .didNotRun(.invalid("the connection settings are not valid: \(message)"))
        }
        return handle.settings
    }
}
