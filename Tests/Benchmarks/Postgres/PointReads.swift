import ArgumentParser
import PostgresDriver

/// Reads one row by its key, prepared: what `pgbench -S -M prepared` does.
struct PointReads: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pg-read", abstract: "Point reads of pgbench_accounts.")

    @OptionGroup var load: LoadOptions
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let rows = self.database.rows
        let measurement = try await self.database.withPool { pool, loop in
            try await ClosedLoop(self.load, on: loop).measure { random in
                let row = Int32.random(in: 1...rows, using: &random)
                let answer = try await pool.query(
                    "SELECT abalance FROM pgbench_accounts WHERE aid = \(row)")
                _ = try answer.exactlyOne()[0, as: Int32.self]
                return true
            }
        }
        try LoadReport("pg-read", unit: "reads", tasks: self.load.tasks, measurement).printLine()
    }
}
