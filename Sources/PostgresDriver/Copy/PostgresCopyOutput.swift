/// The bytes of a COPY from the server, in chunks of about 64 KiB that end with a row; to be walked once.
///
/// A chunk is longer only where a single row is. Text comes in UTF-8 with one row a line; binary begins with
/// the header that PostgreSQL documents.
package struct PostgresCopyOutput: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package typealias Failure = PostgresError

    let pieces: PieceReader<[UInt8]>

    package func makeAsyncIterator() -> Iterator { Iterator(pieces: self.pieces) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let pieces: PieceReader<[UInt8]>

        package mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(PostgresError) -> [UInt8]? {
            try await self.pieces.next()
        }
    }
}

extension PostgresConnection {
    /// Runs a `COPY … TO STDOUT` and lends its bytes to `body` as they arrive.
    ///
    /// What has arrived and was not asked for is at most `bufferLimit`; past that the socket is not read.
    /// Leaving early, deadlines and errors are as with `withRows`.
    ///
    /// - Parameters:
    ///   - statement: one COPY; it can have no parameters.
    ///   - deadline: from now to the last byte; the time that `body` takes counts.
    package func withCopyOut<Answer: Sendable>(
        _ statement: PostgresStatement, deadline: Duration,
        bufferLimit: Int = PostgresConnection.streamBufferLimit,
        _ body: (PostgresCopyOutput) async throws -> Answer
    ) async throws -> Answer {
        let work = CopyOutWork(statement, bufferLimit: bufferLimit)
        return try await self.lend(work, work.flow, fault: statement.copyFault, deadline: deadline) {
            try await body(PostgresCopyOutput(pieces: $0))
        }
    }
}

extension PostgresStatement {
    /// Why it cannot be a COPY; nil when it can.
    var copyFault: String? {
        self.fault ?? (self.parameters.count == 0 ? nil : "COPY takes no parameters")
    }
}
