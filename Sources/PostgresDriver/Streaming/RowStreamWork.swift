/// A statement whose rows are handed over in small batches as they arrive; loop's thread only.
final class RowStreamWork: ExclusiveWork, @unchecked Sendable {
    /// Rows of a batch: enough that waking the consumer costs little beside them.
    private static let batchRows = 128
    private static let batchBytes = 256 * 1024

    let flow: PieceFlow<[ResultHandle]>
    private let statement: PostgresStatement
    private var batch: [ResultHandle] = []
    private var batchSize = 0

    init(_ statement: PostgresStatement, bufferLimit: Int) {
        self.statement = statement
        self.flow = PieceFlow(limit: bufferLimit)
    }

    var kind: ExclusiveKind { .rows }
    var isFull: Bool { self.flow.isFull }

    func send(on handle: ConnectionHandle) -> Bool {
        // In the pipeline: outside, libpq 15 forgets to leave the mode when the statement fails.
        handle.send(self.statement, preparedAs: nil) && handle.setSingleRowMode() && handle.sendSync()
    }

    func arrived(row: ResultHandle) {
        self.batch.append(row)
        self.batchSize += row.size
        if self.batch.count >= Self.batchRows || self.batchSize >= Self.batchBytes { self.handOver() }
    }

    func inputPaused() {
        if self.flow.isWanted { self.handOver() }
    }

    private func handOver() {
        guard !self.batch.isEmpty else { return }
        self.flow.push(self.batch, size: self.batchSize)
        self.batch = []
        self.batchSize = 0
    }

    func ended(_ answer: Result<PostgresRows, PostgresError>) {
        self.handOver()
        switch answer {
        case .success: self.flow.finish(nil)
        case .failure(let error): self.flow.finish(error)
        }
    }

    func gaveUp(_ error: PostgresError) {
        self.batch = []
        self.flow.drop(error)
    }

    func error(givingUp reason: PostgresError.LostAnswerReason) -> PostgresError { .mayHaveRun(reason) }
}
