import PostgresDriver
import ReadinessLoop

/// What many tasks do to a shared pool, and what happens to it.
enum PoolExercises {
    static let all = [
        Exercise("queries", Self.queries), Exercise("errors", Self.errors),
        Exercise("cancellations", Self.cancellations), Exercise("deadlines", Self.deadlines),
        Exercise("killed backends", Self.killedBackends),
        Exercise("a pool closed under its waiters", Self.closed),
        Exercise("a pool without a server", Self.withoutServer),
        Exercise("exclusive connections", Self.exclusives),
    ]

    /// Every third answer is looked at only in part, or not at all.
    private static func queries(_ around: Surroundings) async throws {
        await withTaskGroup { group in
            for number in 0..<64 {
                group.addTask {
                    await around.tally.count {
                        let text = "row \(number)"
                        let rows = try await around.pool.query(
                            """
                            select n, \(text) || n, decode(md5(n::text), 'hex'), array[n, n + 1]
                            from generate_series(1, 20) as n
                            """)
                        for row in rows.prefix(number % 3 * 10) {
                            _ = try row.decode(Int32.self, String.self, [UInt8].self, [Int32].self)
                        }
                    }
                }
            }
        }
    }

    private static func errors(_ around: Surroundings) async throws {
        let table = PostgresStatement(unescaped: Surroundings.table)
        await withTaskGroup { group in
            for number in 0..<8 {
                group.addTask {
                    let tally = around.tally
                    await tally.count { _ = try await around.pool.query("select \(number) / 0") }
                    await tally.count { _ = try await around.pool.query("selekt \(unescaped: "\(number)")") }
                    await tally.count {
                        _ = try await around.pool.query("insert into \(table) values (0, 'again')")
                    }
                    await tally.count {
                        let rows = try await around.pool.query("select 'text'")
                        _ = try rows[0][0, as: Int64.self]
                    }
                    await tally.count { _ = try await around.pool.query("select 1")[0][7, as: Int32.self] }
                }
            }
        }
    }

    /// Some before anything was sent, some while the server works, some after their answer.
    private static func cancellations(_ around: Surroundings) async throws {
        for pause in [0, 1, 20] {
            await withTaskGroup { group in
                for _ in 0..<16 {
                    group.addTask {
                        await around.tally.count { _ = try await around.pool.query("select pg_sleep(0.001)") }
                    }
                }
                for _ in 0..<pause { await Task.yield() }
                group.cancelAll()
            }
        }
    }

    private static func deadlines(_ around: Surroundings) async throws {
        await withTaskGroup { group in
            for number in 0..<300 {
                group.addTask {
                    await around.tally.count {
                        _ = try await around.pool.query(
                            "select pg_sleep(0.0005)", deadline: .microseconds(number * 20))
                    }
                }
            }
        }
        try await around.poolIsBack()
    }

    private static func killedBackends(_ around: Surroundings) async throws {
        let name = Surroundings.poolName
        let killer = try await PostgresConnection.connect(
            around.postgres, loop: around.loop, logger: Surroundings.logger)
        await withTaskGroup { group in
            for _ in 0..<32 {
                group.addTask {
                    await around.tally.count { _ = try await around.pool.query("select pg_sleep(0.002)") }
                }
            }
            group.addTask {
                await around.tally.count {
                    _ = try await killer.query(
                        """
                        select pg_terminate_backend(pid) from pg_stat_activity
                        where application_name = \(name)
                        """
                    )
                }
            }
        }
        await killer.close()
        try await around.poolIsBack()
    }

    /// One statement in flight, the rest waiting, when the pool ends.
    private static func closed(_ around: Surroundings) async throws {
        let loop = try ReadinessLoop(label: "leak-check-closed")
        defer { loop.shutdown() }
        let pool = try PostgresPool(
            PostgresPoolConfiguration(
                server: around.postgres, connections: 1, depth: 1, shutdownLimit: .milliseconds(2)),
            loop: loop, logger: Surroundings.logger)
        try await withThrowingTaskGroup { callers in
            for _ in 0..<30 {
                callers.addTask {
                    await around.tally.count { _ = try await pool.query("select pg_sleep(0.05)") }
                }
            }
            try await withThrowingTaskGroup { group in
                group.addTask { await pool.run() }
                try await eventually("one is in flight") { await pool.statistics().inFlight > 0 }
                group.cancelAll()
                try await group.waitForAll()
            }
            try await callers.waitForAll()
        }
    }

    private static func withoutServer(_ around: Surroundings) async throws {
        let loop = try ReadinessLoop(label: "leak-check-nowhere")
        defer { loop.shutdown() }
        let nowhere = PostgresConfiguration(connectionString: "host=127.0.0.1 port=1 user=nobody dbname=none")
        let pool = try PostgresPool(
            PostgresPoolConfiguration(server: nowhere, connections: 2, waitingLimit: 40), loop: loop,
            logger: Surroundings.logger)
        await withTaskGroup { group in
            group.addTask { await pool.run() }
            await withTaskGroup { callers in
                for number in 0..<50 {
                    callers.addTask {
                        await around.tally.count {
                            _ = try await pool.query("select 1", deadline: .milliseconds(number % 5))
                        }
                    }
                }
            }
            group.cancelAll()
        }
    }

    private static func exclusives(_ around: Surroundings) async throws {
        await withTaskGroup { group in
            for _ in 0..<6 {
                group.addTask {
                    await around.tally.count {
                        try await around.pool.withExclusiveConnection { connection in
                            _ = try await connection.query(
                                "select set_config('search_path', 'public', false)")
                        }
                    }
                }
            }
            for _ in 0..<6 {
                group.addTask {
                    await around.tally.count {
                        try await around.pool.withExclusiveConnection(deadline: .milliseconds(1)) {
                            connection in
                            _ = try await connection.query("select 1")
                        }
                    }
                }
            }
            for _ in 0..<3 { await group.next() }
            group.cancelAll()
        }
    }
}
