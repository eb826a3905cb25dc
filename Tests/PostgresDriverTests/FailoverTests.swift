import PostgresDriver
import Testing

/// Two hosts, one of which can be written.
struct FailoverTests {
    private func both(_ first: PrivateServer, _ second: PrivateServer) -> PostgresPoolConfiguration {
        let server = PostgresConfiguration(
            connectionString: """
                host=127.0.0.1,127.0.0.1 port=\(first.port),\(second.port) user=postgres dbname=postgres \
                target_session_attrs=read-write
                """, connectDeadline: .seconds(1))
        return PostgresPoolConfiguration(server: server, connections: 2)
    }

    private func port(_ pool: PostgresPool) async throws -> Int {
        let setting = try await pool.query("select current_setting('port')::int8", deadline: .seconds(8))
        return try setting[0][0, as: Int.self]
    }

    @Test func `when the first can only be read, the second is taken, and back again`() async throws {
        try await withPrivateServer { first in
            try await withPrivateServer { second in
                try second.setReadOnly(true)
                try await withPool(self.both(first, second)) { pool in
                    #expect(try await self.port(pool) == first.port)
                    for (old, new) in [(first, second), (second, first)] {
                        _ = try new.query("select 1")
                        try old.setReadOnly(true)
                        try new.setReadOnly(false)
                        try await eventually("the writable one is written") {
                            let error = await failure {
                                _ = try await pool.query("create table if not exists t (id int8)")
                            }
                            if let error, error.sqlState != .readOnlyTransaction { throw error }
                            return error == nil
                        }
                        #expect(try await self.port(pool) == new.port)
                    }
                    let statistics = await pool.statistics()
                    #expect(statistics.closedTotal[.readOnly, default: 0] >= 2)
                    #expect(statistics.lostTotal == 0)
                }
            }
        }
    }

    @Test func `when the primary dies, the promoted standby is taken`() async throws {
        try await withPrivateServer(["wal_level": "replica", "max_wal_senders": "4"]) { primary in
            let standby = try PrivateServer(copied: false)
            defer { standby.stop() }
            try PrivateServer.run([
                primary.program("pg_basebackup"), "-h", primary.folder, "-p", "\(primary.port)", "-U",
                "postgres", "-D", standby.data, "-R", "-c", "fast", "--no-sync",
            ])
            try await standby.start()
            try await withPool(self.both(standby, primary)) { pool in
                #expect(try await self.port(pool) == primary.port)
                _ = try await pool.query("create table kept (id int8)")
                try await eventually("the standby has the table") {
                    try standby.query("select to_regclass('kept') is not null")[0][0, as: Bool.self]
                }
                try primary.crash()
                let waits = await failure {
                    _ = try await pool.query("select 1", deadline: .milliseconds(1500))
                }
                if let waits { #expect(!"\(waits)".isEmpty) }
                try standby.query("select pg_promote()")
                try await eventually("the standby is written") {
                    await failure {
                        _ = try await pool.query("insert into kept values (1)", deadline: .seconds(1))
                    } == nil
                }
                #expect(try await self.port(pool) == standby.port)
            }
        }
    }
}
