import ReadinessLoop
import Synchronization

extension PostgresConnection {
    /// Runs `body` between BEGIN and COMMIT, and rolls back when it throws.
    ///
    /// The connection must be this caller's alone. A transaction holds its locks for as long as `body` takes,
    /// so keep it for the few things that a single statement cannot do. If `body` hangs, the connection is
    /// closed 2 s after the deadline, and the locks are free; if the whole process hangs, only the server's
    /// `idle_in_transaction_session_timeout` helps.
    ///
    /// - Parameters:
    ///   - deadline: for the whole, `body` included. Statements in `body` have to end before it, and when it
    ///     has passed nothing is committed.
    ///   - begin: for example `begin isolation level serializable`.
    /// - Throws: what `body` throws, or a `PostgresError`. A statement of the transaction whose answer was lost
    ///   throws `didNotRun`, because nothing can be committed after it; so `mayHaveRun` is COMMIT's, and then
    ///   the transaction may be in force. A cancelled task gets COMMIT's answer all the same, once COMMIT has
    ///   been sent.
    package func transaction<Answer: Sendable>(
        deadline: Duration, begin: PostgresStatement = "begin",
        _ body: (PostgresTransaction) async throws -> Answer
    ) async throws -> Answer {
        let due = ContinuousClock.now.advanced(by: deadline)
        let transaction = PostgresTransaction(connection: self, due: due)
        do throws(PostgresError) {
            _ = try await transaction.query(begin.unprepared())
        } catch {
            if transaction.isVoid { await self.rollBack() }
            throw error
        }
        self.loop.execute { [core] in
            core.transactionBegan(endsBy: due.advanced(by: ConnectionCore.cancelLimit))
        }
        defer { self.loop.execute { [core] in core.transactionEnded() } }
        let answer: Answer
        do {
            answer = try await body(transaction)
        } catch {
            await self.rollBack()
            throw error
        }
        try await self.commit(transaction)
        return answer
    }

    private func commit(_ transaction: PostgresTransaction) async throws(PostgresError) {
        if let reason = transaction.whyNotCommit {
            await self.rollBack()
            throw .didNotRun(reason)
        }
        do throws(PostgresError) {
            let rows = try await self.queryToItsEnd(
                PostgresStatement("commit").unprepared(), deadline: transaction.left)
            // The server answers COMMIT of a failed transaction with success, and the word ROLLBACK.
            guard rows.commandTag == "COMMIT" else {
                throw .failed(
                    PostgresServerError(
                        sqlState: .inFailedTransaction,
                        message: "a statement of the transaction had failed, so it was rolled back"))
            }
        } catch {
            if case .failed = error {} else { await self.close() }
            throw error
        }
    }

    /// Even in a cancelled task, so that the connection stays of use; where it fails, closing rolls back.
    private func rollBack() async {
        do throws(PostgresError) {
            _ = try await self.queryToItsEnd(
                PostgresStatement("rollback").unprepared(), deadline: ConnectionCore.cancelLimit + .seconds(1)
            )
        } catch {
            await self.close()
        }
    }
}

/// The statements of one transaction; of no use after it.
package struct PostgresTransaction: Sendable {
    private final class Fate: Sendable {
        let isVoid = Mutex(false)
    }

    private let connection: PostgresConnection
    private let due: ContinuousClock.Instant
    private let fate = Fate()

    init(connection: PostgresConnection, due: ContinuousClock.Instant) {
        self.connection = connection
        self.due = due
    }

    /// Until the deadline.
    package var left: Duration { ContinuousClock.now.duration(to: self.due) }

    /// Whether an answer was lost, so that nobody knows what a commit would commit.
    var isVoid: Bool { self.fate.isVoid.withLock { $0 } }

    var whyNotCommit: PostgresError.NotRunReason? {
        if self.isVoid { return .invalid("the answer of a statement of the transaction was lost") }
        if Task.isCancelled { return .cancelled }
        return self.left > .zero ? nil : .deadline(nil)
    }

    /// Runs one statement within what is left of the transaction's deadline.
    ///
    /// - Throws: `didNotRun` also where the answer was lost: the transaction is rolled back then.
    package func query(_ statement: PostgresStatement) async throws(PostgresError) -> PostgresRows {
        try await self.run { left throws(PostgresError) in
            try await self.connection.query(statement, deadline: left)
        }
    }

    /// Runs several commands separated by semicolons, none of which may end the transaction.
    package func execute(script: String) async throws(PostgresError) {
        try await self.run { left throws(PostgresError) in
            try await self.connection.execute(script: script, deadline: left)
        }
    }

    private func run<Answer>(
        _ body: (Duration) async throws(PostgresError) -> Answer
    ) async throws(PostgresError) -> Answer {
        if self.isVoid { throw .didNotRun(.invalid("the transaction is over")) }
        let left = self.left
        guard left > .zero else { throw .didNotRun(.deadline(nil)) }
        do throws(PostgresError) {
            return try await body(left)
        } catch {
            guard case .mayHaveRun(let reason) = error else { throw error }
            self.fate.isVoid.withLock { $0 = true }
            throw .didNotRun(reason.notRun)
        }
    }
}
