import ArgumentParser
import PostgresDriver

/// Updates one row a statement, durably, prepared.
struct RowUpdates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pg-update", abstract: "Single-row updates of pgbench_accounts, one statement each.")

    @OptionGroup var load: LoadOptions
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
        let rows = self.database.rows
        let measurement = try await self.database.withPool { pool, loop in
            try await ClosedLoop(self.load, on: loop).measure { random in
                let row = Int32.random(in: 1...rows, using: &random)
                let delta = Int32.random(in: -5000...5000, using: &random)
                let answer = try await pool.query(
                    "UPDATE pgbench_accounts SET abalance = abalance + \(delta) WHERE aid = \(row)")
                guard answer.affectedRows == 1 else { throw WrongRowCount(answer.affectedRows, wanted: 1) }
                return true
            }
        }
        try LoadReport("pg-update", unit: "updates", tasks: self.load.tasks, measurement).printLine()
    }
}

/// The server touched more or fewer rows than the load asked for.
struct WrongRowCount: Error, CustomStringConvertible {
    let description: String

    init(_ count: Int, wanted: Int) {
        self.description = "a statement touched \(count) rows where \(wanted) were meant"
    }
}
