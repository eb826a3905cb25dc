/// The texts of the server's configuration files; COORDINATION asks for most of the values.
package enum ServerSettings {
    static let role = "flotilla"
    static let database = "flotilla"
    static let port = 5432  // only a part of the socket's name

    /// What a libpq client passes; the folder has no character that would need quoting (see `SocketFolder`).
    static func connectionString(socketFolder: String) -> String {
        "host=\(socketFolder) port=\(Self.port) dbname=\(Self.database) user=\(Self.role)"
    }

    /// `flotilla.conf`, included from `postgresql.conf` and written at each start.
    static func main(socketFolder: String, memory: UInt64) -> String {
        """
        # Written by Flotilla at each start: changes here are lost.
        # Reached through a Unix socket only, by its owner only.
        listen_addresses = ''
        port = \(Self.port)
        unix_socket_directories = '\(Self.escaped(socketFolder))'
        unix_socket_permissions = 0700
        cluster_name = 'flotilla'

        # Twenty nodes with few connections each, and some to spare for people.
        max_connections = 300
        shared_buffers = \(Self.sharedBuffersMegabytes(memory: memory))MB

        # What was acknowledged is on the disk.
        fsync = on
        synchronous_commit = on
        full_page_writes = on
        wal_level = replica
        max_wal_size = 4GB
        checkpoint_timeout = 15min

        # A client that is gone, or waits inside a transaction, holds nothing for long.
        # The limits on TCP are longer than the slow window of 5 s: a frozen host is not cut off early.
        client_connection_check_interval = 1s
        idle_in_transaction_session_timeout = 15s
        tcp_keepalives_idle = 5
        tcp_keepalives_interval = 2
        tcp_keepalives_count = 3
        tcp_user_timeout = 10s

        # Small tables that change all the time; short statements.
        autovacuum_naptime = 10s
        jit = off

        # The log says what happened, never what was in a statement.
        logging_collector = off
        log_destination = 'stderr'
        log_line_prefix = '%m [%p] '
        log_timezone = 'UTC'
        timezone = 'UTC'
        log_error_verbosity = terse
        log_statement = none
        log_min_error_statement = panic
        log_min_duration_statement = -1
        log_parameter_max_length = 0
        log_parameter_max_length_on_error = 0
        log_checkpoints = off

        """
    }

    /// A sixteenth of the memory, between 128 MB and 1 GB: files are cached by the system, not by the
    /// database.
    package static func sharedBuffersMegabytes(memory: UInt64) -> UInt64 {
        min(max(memory / 16 / (1 << 20), 128), 1024)
    }

    /// `pg_hba.conf`: local sockets only, and the kernel says who is there.
    static var access: String {
        """
        # Written by Flotilla at each start: changes here are lost.
        local all all peer map=flotilla

        """
    }

    /// `pg_ident.conf`: which system users may be the role.
    static func identities(_ users: Set<String>) -> String {
        let lines = users.sorted().map { "flotilla \"\($0)\" \(Self.role)\n" }
        return "# Written by Flotilla at each start: changes here are lost.\n" + lines.joined()
    }

    private static func escaped(_ text: String) -> String {
        String(text.flatMap { $0 == "'" ? "''" : String($0) })
    }
}
