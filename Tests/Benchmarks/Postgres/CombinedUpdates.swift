import ArgumentParser

/// The same updates, but each caller's row travels with those of others in one statement.
struct CombinedUpdates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pg-update-batched",
        abstract: "Single-row updates of pgbench_accounts, combined into statements.")

    @OptionGroup var load: LoadOptions
    @OptionGroup var database: DatabaseOptions

    @Option(help: "Rows that one statement may carry.")
    var batch = 50

    @Option(help: "Statements that may be under way at a time.")
    var statements = 8

    func validate() throws {
        guard (1...10_000).contains(self.batch), (1...1000).contains(self.statements) else {
            throw ValidationError("--batch from 1 to 10000, --statements from 1 to 1000")
        }
    }

    func run() async throws {
        let rows = self.database.rows
        let (measurement, statements) = try await self.database.withPool { pool, loop in
            let combiner = UpdateCombiner(pool: pool, batchMax: self.batch)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<self.statements { group.addTask { await combiner.run() } }
                defer { combiner.close() }
                let measurement = try await ClosedLoop(self.load, on: loop).measure { random in
                    try await combiner.update(
                        row: .random(in: 1...rows, using: &random),
                        by: .random(in: -5000...5000, using: &random))
                    return true
                }
                return (measurement, combiner.statementCount)
            }
        }
        var report = LoadReport("pg-update-batched", unit: "updates", tasks: self.load.tasks, measurement)
        report.remarks["rows_per_statement"] = Double(report.operationsInAll) / Double(max(1, statements))
        try report.printLine()
    }
}
