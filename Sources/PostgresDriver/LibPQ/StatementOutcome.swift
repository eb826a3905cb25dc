import CLibPQ

/// What the results of one statement, taken in order, add up to; the same for every kind of connection.
///
/// A statement has succeeded only when the server is ready for the next one. Its transaction ends after its
/// last row, and that can still fail: a deferred constraint, a serialisation conflict, a full disk.
struct StatementOutcome {
    private var rows: ResultHandle?
    private(set) var error: PostgresServerError?
    /// An error that libpq made up itself: the connection is gone or speaks another protocol.
    private(set) var localFailure: String?

    /// Whether the server ended the connection with its answer.
    var endsConnection: Bool { self.error?.endsConnection ?? false }

    mutating func add(_ result: ResultHandle) {
        switch result.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            if self.error == nil { self.rows = result }
        case PGRES_PIPELINE_SYNC, PGRES_PIPELINE_ABORTED:
            break
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            self.localFailure = "COPY is not possible here"
        default:
            guard let error = result.serverError else {
                self.localFailure = result.errorMessage.trimmed
                return
            }
            // The first error is the cause; later ones follow from it.
            if self.error == nil { self.error = error }
        }
    }

    /// The answer for the caller once the server is ready again.
    func whenReady() -> Result<PostgresRows, PostgresError> {
        if let error = self.error { return .failure(.failed(error)) }
        if let rows = self.rows { return .success(PostgresRows(rows)) }
        return .failure(.mayHaveRun(.connectionLost(self.localFailure ?? "the server answered nothing")))
    }

    /// The answer for the caller when the connection ends before the server was ready again.
    ///
    /// Even an error that ends the connection decides nothing: it may have come right after the commit.
    func whenLost(_ message: String) -> PostgresError {
        if let error = self.error, !error.endsConnection { return .failed(error) }
        return .mayHaveRun(.connectionLost(self.error?.description ?? self.localFailure ?? message))
    }
}
