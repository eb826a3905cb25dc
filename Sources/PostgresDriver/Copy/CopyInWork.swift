/// A COPY to the server, fed piece by piece; loop's thread only.
final class CopyInWork: ExclusiveWork, @unchecked Sendable {
    typealias Given = CheckedContinuation<PostgresError?, Never>
    typealias Stored = CheckedContinuation<Result<Int, PostgresError>, Never>

    /// Handed to libpq at a time: it has a buffer of its own, and this bounds it.
    private static let sliceBytes = 256 * 1024

    private let statement: PostgresStatement
    /// What was given last, and how much of it libpq has.
    private var piece: [UInt8] = []
    private var taken = 0
    private var producer: Given?
    private var finisher: Stored?
    private var isEndWanted = false
    private var isEndSent = false
    private var answer: Result<Int, PostgresError>?
    /// Called when there is something to write.
    var onGiven: () -> Void = {}

    init(_ statement: PostgresStatement) { self.statement = statement }

    var kind: ExclusiveKind { .copyIn }
    var isFull: Bool { false }

    func send(on handle: ConnectionHandle) -> Bool { handle.send(self.statement, preparedAs: nil) }

    // MARK: The producer

    /// Answers once libpq has the piece and the one before it has left; one at a time.
    func give(_ piece: [UInt8], _ producer: Given) {
        switch self.answer {
        case .failure(let error): return producer.resume(returning: error)
        case .success: return producer.resume(returning: .unreadable("the COPY has ended already"))
        case nil: break
        }
        self.piece = piece
        self.taken = 0
        self.producer = producer
        self.onGiven()
    }

    /// All was given: answers how many rows the server has stored.
    func end(_ finisher: Stored) {
        if let answer = self.answer { return finisher.resume(returning: answer) }
        self.isEndWanted = true
        self.finisher = finisher
        self.onGiven()
    }

    // MARK: The connection

    func mayWrite(on handle: ConnectionHandle) -> ExclusiveWritten {
        if self.producer != nil {
            let slice = min(self.piece.count - self.taken, Self.sliceBytes)
            let range = self.taken..<self.taken + slice
            let put = unsafe self.piece.withUnsafeBytes { bytes in
                unsafe handle.putCopyData(UnsafeRawBufferPointer(rebasing: bytes[range]))
            }
            guard put == .taken else { return .failed }
            self.taken += slice
            if self.taken == self.piece.count {
                self.piece = []
                self.producer?.resume(returning: nil)
                self.producer = nil
            }
            return .some
        }
        guard self.isEndWanted, !self.isEndSent else { return .nothing }
        self.isEndSent = true
        return handle.putCopyEnd(error: nil) ? .end : .failed
    }

    func ended(_ answer: Result<PostgresRows, PostgresError>) {
        switch answer {
        case .success(let rows):
            guard self.isEndSent else {
                return self.finish(.failure(.unreadable("the statement is no COPY to the server")))
            }
            self.finish(.success(rows.affectedRows))
        case .failure(.mayHaveRun(let reason)):
            self.finish(.failure(self.error(givingUp: reason)))
        case .failure(let error):
            self.finish(.failure(error))
        }
    }

    func gaveUp(_ error: PostgresError) { self.finish(.failure(error)) }

    /// Without its end a COPY stores nothing, so before that there is nothing unknown.
    func error(givingUp reason: PostgresError.LostAnswerReason) -> PostgresError {
        self.isEndSent ? .mayHaveRun(reason) : .didNotRun(reason.notRun)
    }

    private func finish(_ answer: Result<Int, PostgresError>) {
        self.answer = answer
        self.piece = []
        if let producer = self.producer {
            self.producer = nil
            switch answer {
            case .success: producer.resume(returning: nil)
            case .failure(let error): producer.resume(returning: error)
            }
        }
        self.finisher?.resume(returning: answer)
        self.finisher = nil
    }
}
