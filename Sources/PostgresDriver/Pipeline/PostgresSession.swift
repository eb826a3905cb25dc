/// The server's process for one connection, told from every other one that had or will have its number.
package struct PostgresSession: Sendable, Hashable {
    package var backendID: Int32
    /// `backend_start` in microseconds since 1970; nil while the server has not told.
    package var startedAt: Int64?

    package init(backendID: Int32, startedAt: Int64?) {
        self.backendID = backendID
        self.startedAt = startedAt
    }

    /// SQL for the number by which ``startedAt`` is known, over a column like `pg_stat_activity.backend_start`.
    package static func started(_ column: String) -> PostgresStatement {
        PostgresStatement(unescaped: "(extract(epoch from \(column)) * 1000000)::int8")
    }

    static let own: PostgresStatement =
        "select \(Self.started("backend_start")) from pg_stat_get_activity(pg_backend_pid())"
}
