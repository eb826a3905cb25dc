import ArgumentParser
import Logging
import PostgresDriver
import ReadinessLoop

/// Copies rows of typed values into a table that is there and empty: what `\copy` does with a file of them.
struct RowCopy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pg-copy", abstract: "Rows into a table by COPY.")

    @Option(help: "Libpq's connection string.")
    var database: String

    @Option(help: "A table (id int8, account text, amount int4, note text).")
    var table: String

    @Option(help: "How many rows; the first is number 0.")
    var rows = 500_000

    func run() async throws {
        // Made before the clock runs, as the peer's file is.
        let rows = (0..<Int64(self.rows)).map(Row.init(number:))
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(connectionString: self.database), loop: loop,
            logger: Logger(label: "benchmark"))
        let table = try PostgresIdentifier(self.table)
        var columns: [PostgresIdentifier] = []
        for name in ["id", "account", "amount", "note"] { columns.append(try PostgresIdentifier(name)) }
        let before = ProcessUsage.now
        let started = ContinuousClock.now
        let stored = try await connection.copyRows(into: [table], columns: columns, deadline: .seconds(120)) {
            writer in
            try await writer.write(contentsOf: rows) { row, values in
                values.append(row.number)
                values.append(row.account)
                values.append(row.amount)
                values.append(row.note)
            }
        }
        let seconds = started.duration(to: .now) / .seconds(1)
        let cpuSeconds = ProcessUsage.now.cpuSeconds - before.cpuSeconds
        await connection.close()
        guard stored == rows.count else { throw WrongRowCount(stored, wanted: rows.count) }
        var course = Course()
        course.operations = stored
        try LoadReport(
            "pg-copy", unit: "rows", tasks: 1,
            Measurement(course: course, seconds: seconds, cpuSeconds: cpuSeconds)
        ).printLine()
    }

    /// The same for a number in every run; deploy/bench writes the same rows for the peer.
    private struct Row: Sendable {
        let number: Int64
        let account: String
        let amount: Int32
        let note: String

        init(number: Int64) {
            self.number = number
            self.account = "account-\(number % 1000)"
            self.amount = Int32(number * 7919 % 100_000)
            self.note = "transfer \(number) of a partner's file, in good order"
        }
    }
}
