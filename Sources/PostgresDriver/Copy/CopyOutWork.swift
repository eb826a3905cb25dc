/// A COPY from the server whose bytes are handed over in chunks; loop's thread only.
final class CopyOutWork: ExclusiveWork, @unchecked Sendable {
    /// Rows are gathered up to here, so that waking the consumer costs little beside them.
    static let chunkBytes = 64 * 1024

    let flow: PieceFlow<[UInt8]>
    private let statement: PostgresStatement
    private var chunk: [UInt8] = []
    private var hasBegun = false

    init(_ statement: PostgresStatement, bufferLimit: Int) {
        self.statement = statement
        self.flow = PieceFlow(limit: bufferLimit)
    }

    var kind: ExclusiveKind { .copyOut }
    var isFull: Bool { self.flow.isFull }

    func send(on handle: ConnectionHandle) -> Bool { handle.send(self.statement, preparedAs: nil) }

    func takeCopyData(from handle: ConnectionHandle) -> ConnectionHandle.CopyData {
        self.hasBegun = true
        if self.chunk.isEmpty { self.chunk.reserveCapacity(Self.chunkBytes + Self.chunkBytes / 8) }
        let taken = handle.takeCopyData(into: &self.chunk)
        if self.chunk.count >= Self.chunkBytes { self.handOver() }
        return taken
    }

    func inputPaused() {
        if self.flow.isWanted { self.handOver() }
    }

    private func handOver() {
        guard !self.chunk.isEmpty else { return }
        let size = self.chunk.count
        self.flow.push(self.chunk, size: size)
        self.chunk = []
    }

    func ended(_ answer: Result<PostgresRows, PostgresError>) {
        self.handOver()
        switch answer {
        case .success:
            self.flow.finish(self.hasBegun ? nil : .unreadable("the statement is no COPY from the server"))
        case .failure(let error): self.flow.finish(error)
        }
    }

    func gaveUp(_ error: PostgresError) {
        self.chunk = []
        self.flow.drop(error)
    }

    func error(givingUp reason: PostgresError.LostAnswerReason) -> PostgresError { .mayHaveRun(reason) }
}
