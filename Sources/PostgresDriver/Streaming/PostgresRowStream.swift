import ReadinessLoop

/// The rows of one statement as they arrive; to be walked once, by one task.
///
/// What has arrived and was not asked for yet is bounded; past that the socket is not read, and the server
/// waits. An error may come after any number of rows: then those before it were real, but are not all.
package struct PostgresRowStream: AsyncSequence, Sendable {
    package typealias Element = PostgresRow
    package typealias Failure = PostgresError

    let pieces: PieceReader<[ResultHandle]>

    package func makeAsyncIterator() -> Iterator { Iterator(pieces: self.pieces) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let pieces: PieceReader<[ResultHandle]>
        private var batch: [ResultHandle] = []
        private var next = 0

        fileprivate init(pieces: PieceReader<[ResultHandle]>) { self.pieces = pieces }

        /// Waits only when no more rows are here.
        package mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(PostgresError) -> PostgresRow? {
            if self.next == self.batch.count {
                guard let batch = try await self.pieces.next() else { return nil }
                self.batch = batch
                self.next = 0
            }
            defer { self.next += 1 }
            return PostgresRow(result: self.batch[self.next], row: 0)
        }
    }
}

extension PostgresConnection {
    /// What a stream holds at most, unless said otherwise: 1 MiB, and the row that passes it.
    package static let streamBufferLimit = 1 << 20

    /// Runs one statement and lends its rows to `body` as they arrive.
    ///
    /// The connection must be free, and is this stream's until `body` is done. When `body` leaves early the
    /// statement is cancelled at the server, and the next statement waits until that is over; inside a
    /// transaction, which a cancellation would end, the rest is read and thrown away until the deadline
    /// instead. If the server does not let go in time, the connection is closed.
    ///
    /// - Parameters:
    ///   - deadline: from now to the last row; the time that `body` takes counts.
    ///   - bufferLimit: bytes of rows that may wait for `body`; libpq needs about 2 KiB for a small row.
    /// - Throws: what `body` throws. Asking for a row throws `failed` where the server refused or stopped,
    ///   `mayHaveRun` where the answer was cut off.
    package func withRows<Answer: Sendable>(
        _ statement: PostgresStatement, deadline: Duration,
        bufferLimit: Int = PostgresConnection.streamBufferLimit,
        _ body: (PostgresRowStream) async throws -> Answer
    ) async throws -> Answer {
        let work = RowStreamWork(statement, bufferLimit: bufferLimit)
        return try await self.lend(work, work.flow, fault: statement.fault, deadline: deadline) {
            try await body(PostgresRowStream(pieces: $0))
        }
    }
}
