extension PostgresConnection {
    /// Runs a `COPY … FROM STDIN` with the bytes that `produce` writes.
    ///
    /// All or nothing: when `produce` throws, or its task is cancelled, or the deadline passes before the end
    /// was sent, the server is told to store nothing. The server checks rows as they come but libpq keeps its
    /// verdict until the end, so a mistake in the first row shows up after the last.
    ///
    /// - Parameters:
    ///   - statement: one COPY; it can have no parameters.
    ///   - deadline: from now until the server has stored all; the time that `produce` takes counts.
    /// - Returns: the rows that the server has stored.
    /// - Throws: what `produce` throws; `didNotRun` or `failed` where nothing was stored; `mayHaveRun` where
    ///   the end was sent and no answer came.
    package func copyIn(
        _ statement: PostgresStatement, deadline: Duration,
        _ produce: (inout PostgresCopyWriter) async throws -> Void
    ) async throws -> Int {
        try await self.feed(statement, deadline: deadline) { feed in
            var writer = PostgresCopyWriter(feed)
            try await produce(&writer)
            try await writer.flush()
        }
    }

    /// The same with buffers from a sequence, for example a file or a request's body.
    ///
    /// - Throws: also what the sequence throws; nothing is stored then.
    package func copyIn<Buffers: AsyncSequence>(
        _ statement: PostgresStatement, from buffers: Buffers, deadline: Duration
    ) async throws -> Int where Buffers.Element == [UInt8] {
        try await self.copyIn(statement, deadline: deadline) { writer in
            for try await buffer in buffers { try await writer.write(buffer) }
        }
    }

    /// Stores rows of typed values, in the binary format of COPY.
    ///
    /// - Parameters:
    ///   - table: its name, or schema and name.
    ///   - columns: those that the rows have values for; at least one.
    ///   - deadline: as with `copyIn`, from which errors and the answer do not differ either.
    package func copyRows(
        into table: [PostgresIdentifier], columns: [PostgresIdentifier], deadline: Duration,
        _ produce: (inout PostgresCopyRowWriter) async throws -> Void
    ) async throws -> Int {
        guard !table.isEmpty, !columns.isEmpty else {
            throw PostgresError.didNotRun(.invalid("a COPY of rows needs a table and columns"))
        }
        let target = table.map(\.quoted).joined(separator: ".")
        let names = columns.map(\.quoted).joined(separator: ", ")
        let statement = PostgresStatement(unescaped: "copy \(target) (\(names)) from stdin (format binary)")
        return try await self.feed(statement, deadline: deadline) { feed in
            var writer = PostgresCopyRowWriter(feed, columns: columns.count)
            try await produce(&writer)
            try await writer.end()
        }
    }

    private func feed(
        _ statement: PostgresStatement, deadline: Duration, _ produce: (CopyFeed) async throws -> Void
    ) async throws -> Int {
        if let fault = statement.copyFault { throw PostgresError.didNotRun(.invalid(fault)) }
        let work = CopyInWork(statement)
        let exchange = self.begin(work, deadline: deadline)
        // Only finds something to do where `produce` has thrown.
        defer { self.leave(exchange) }
        let feed = CopyFeed(work: work, exchange: exchange, loop: self.loop)
        try await produce(feed)
        return try await feed.end()
    }
}
