extension PostgresConnection {
    /// Runs `body` between BEGIN and COMMIT, and rolls back when it throws.
    ///
    /// The connection must be this caller's alone. A transaction holds its locks for as long as `body` takes,
    /// so keep it for the few things that a single statement cannot do.
    ///
    /// - Parameters:
    ///   - deadline: for the whole, `body` included. Statements in `body` have to end before it, and when it
    ///     has passed nothing is committed. - begin: for example `begin isolation level serializable`.
    /// - Throws: what `body` throws, or a `PostgresError`. With `mayHaveRun` from COMMIT the transaction may
    ///   be in force. After a lost answer the connection is closed, which rolls back what was not committed.
    package func transaction<Answer: Sendable>(
        deadline: Duration, begin: PostgresStatement = "begin",
        _ body: (PostgresTransaction) async throws -> Answer
    ) async throws -> Answer {
        let due = ContinuousClock.now.advanced(by: deadline)
        let transaction = PostgresTransaction(connection: self, due: due)
        _ = try await transaction.query(begin.unprepared())
        let answer: Answer
        do {
            answer = try await body(transaction)
        } catch {
            await self.rollBack(after: error)
            throw error
        }
        try await self.commit(transaction)
        return answer
    }

    private func commit(_ transaction: PostgresTransaction) async throws(PostgresError) {
        do throws(PostgresError) {
            let rows = try await transaction.query(PostgresStatement("commit").unprepared())
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

    private func rollBack(after error: any Error) async {
        if let error = error as? PostgresError, !error.surelyChangedNothing { return await self.close() }
        do throws(PostgresError) {
            // A cancelled task does not get this far: then closing is what rolls back.
            _ = try await self.query(PostgresStatement("rollback").unprepared(), deadline: .seconds(1))
        } catch {
            await self.close()
        }
    }
}

/// The statements of one transaction; of no use after it.
package struct PostgresTransaction: Sendable {
    private let connection: PostgresConnection
    private let due: ContinuousClock.Instant

    init(connection: PostgresConnection, due: ContinuousClock.Instant) {
        self.connection = connection
        self.due = due
    }

    /// Runs one statement within what is left of the transaction's deadline.
    package func query(_ statement: PostgresStatement) async throws(PostgresError) -> PostgresRows {
        let left = ContinuousClock.now.duration(to: self.due)
        guard left > .zero else { throw .didNotRun(.deadline(nil)) }
        return try await self.connection.query(statement, deadline: left)
    }
}
