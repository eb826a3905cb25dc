/// Why a statement brought no rows, and, above all, whether it may have changed anything.
///
/// Retrying is the caller's decision; the case is what it rests on. What became of a statement follows from
/// where it was when things went wrong:
///
/// | it was | the error |
/// |---|---|
/// | with the caller, or in the queue of a pool | `didNotRun` |
/// | handed to libpq, sent or not; no answer, or only a part of one | `mayHaveRun` |
/// | behind another one to which the server said why it ends the connection | `didNotRun` |
/// | refused by the server, which goes on | `failed` |
/// | refused by the server, and then the connection was lost | `failed`: the refusal undid it |
/// | answered in full, and the answer is not of the expected shape | `unreadable`: it is done |
///
/// Libpq may send on its own whenever its buffer is full, so what was handed to it counts as sent.
package indirect enum PostgresError: Error, Sendable, Equatable {
    /// The statement surely did not run: it never reached the server, or the server never got to it.
    case didNotRun(NotRunReason)
    /// The server ran it, refused it, and undid all of it.
    case failed(PostgresServerError)
    /// It was sent and no final answer came. Find out by reading, never by trying again blindly.
    case mayHaveRun(LostAnswerReason)
    /// It ran; its answer is not of the shape that the caller asked for. A mistake in the program.
    case unreadable(String)

    package enum NotRunReason: Sendable, Equatable {
        /// No connection was there or could be made; what libpq or the server said.
        case notConnected(String)
        /// As many statements wait as may. Slow down.
        case queueFull
        /// The deadline passed while it waited for its turn; the last connection failure, if there was one.
        case deadline(String?)
        /// The task was cancelled before the statement was sent.
        case cancelled
        /// The pool or the connection was closed by its owner, or has ended.
        case closed
        /// The request itself is not possible; the reason names what is wrong.
        case invalid(String)
    }

    package enum LostAnswerReason: Sendable, Equatable {
        /// The connection ended; what libpq or the server said.
        case connectionLost(String)
        case deadline
        case cancelled
    }

    /// The SQLSTATE if the server surely refused the statement.
    package var sqlState: SQLState? {
        if case .failed(let error) = self { error.sqlState } else { nil }
    }

    /// Whether trying the same statement again cannot do its work twice.
    package var surelyChangedNothing: Bool {
        switch self {
        case .didNotRun, .failed: true
        case .mayHaveRun, .unreadable: false
        }
    }
}

extension PostgresError {
    /// What libpq or the server said where no connection could be made; else the whole description.
    var connectionFailure: String {
        if case .didNotRun(.notConnected(let message)) = self { message } else { self.reason }
    }

    /// The description without what became of the statement, for those to whom it makes no difference.
    package var reason: String {
        switch self {
        case .didNotRun(let reason): reason.description
        case .mayHaveRun(let reason): reason.description
        case .failed, .unreadable: self.description
        }
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .didNotRun(let reason): "the statement did not run: \(reason)"
        case .failed(let error): error.description
        case .mayHaveRun(let reason):
            "the statement may have run: \(reason); read what it changes before trying again"
        case .unreadable(let reason): "the answer cannot be read as asked: \(reason)"
        }
    }
}

extension PostgresError.NotRunReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notConnected(let message): "no connection: \(message)"
        case .queueFull: "too many statements are waiting; slow down"
        case .deadline(nil): "its deadline passed while it waited"
        case .deadline(let message?): "no connection within its deadline: \(message)"
        case .cancelled: "its task was cancelled"
        case .closed: "the connection or pool is closed"
        case .invalid(let message): message
        }
    }
}

extension PostgresError.LostAnswerReason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .connectionLost(let message): "the connection was lost: \(message)"
        case .deadline: "no answer came before its deadline"
        case .cancelled: "its task was cancelled after it was sent"
        }
    }
}
