/// What a caller does with a connection that is lent to it: a stream of rows or a COPY; loop's thread only.
protocol ExclusiveWork: AnyObject, Sendable {
    /// What the server has to answer with; anything else is a mistake in the statement.
    var kind: ExclusiveKind { get }
    /// Writes the command.
    func send(on handle: ConnectionHandle) -> Bool
    /// Nothing more is taken from the server for the moment.
    var isFull: Bool { get }
    /// One row has arrived.
    func arrived(row: ResultHandle)
    /// Takes one piece of COPY data.
    func takeCopyData(from handle: ConnectionHandle) -> ConnectionHandle.CopyData
    /// Nothing more is here now; hand over what was gathered if somebody waits for it.
    func inputPaused()
    /// The server waits for data, or all that was written has left: write on.
    func mayWrite(on handle: ConnectionHandle) -> ExclusiveWritten
    /// The server is done, or the connection is gone; called once unless `gaveUp` was.
    func ended(_ answer: Result<PostgresRows, PostgresError>)
    /// Nobody waits any more; called once unless `ended` was.
    func gaveUp(_ error: PostgresError)
    /// Whether the server could still finish it: what the caller hears if it gives up now.
    func error(givingUp reason: PostgresError.LostAnswerReason) -> PostgresError
}

enum ExclusiveKind { case rows, copyIn, copyOut }

enum ExclusiveWritten {
    /// There is nothing to write now.
    case nothing
    /// Written to libpq; flush it.
    case some
    /// The end was written: from here on the server decides.
    case end
    case failed
}

extension ExclusiveWork {
    func arrived(row: ResultHandle) {}
    func takeCopyData(from handle: ConnectionHandle) -> ConnectionHandle.CopyData { handle.dropCopyData() }
    func inputPaused() {}
    func mayWrite(on handle: ConnectionHandle) -> ExclusiveWritten { .nothing }
}

extension PostgresError.LostAnswerReason {
    /// The same reason for something that surely did not happen.
    var notRun: PostgresError.NotRunReason {
        switch self {
        case .connectionLost(let message): .notConnected(message)
        case .deadline: .deadline(nil)
        case .cancelled: .cancelled
        }
    }
}
