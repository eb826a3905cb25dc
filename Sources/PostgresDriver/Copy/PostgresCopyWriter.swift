/// Takes the bytes of a COPY to the server, in the format that the statement names.
///
/// Small pieces are gathered; a full batch is handed over, and where the server is behind, the writer waits.
package struct PostgresCopyWriter: ~Copyable {
    private let feed: CopyFeed
    private var batch: [UInt8] = []

    init(_ feed: CopyFeed) { self.feed = feed }

    /// Appends bytes; rows may be cut anywhere.
    ///
    /// - Throws: why the COPY cannot go on. It stores nothing then.
    package mutating func write(_ bytes: [UInt8]) async throws(PostgresError) {
        // A large piece goes as it is, without another copy.
        if self.batch.isEmpty, bytes.count >= CopyFeed.batchBytes { return try await self.feed.give(bytes) }
        self.batch.append(contentsOf: bytes)
        if self.batch.count >= CopyFeed.batchBytes { try await self.flush() }
    }

    /// Appends text, as UTF-8.
    package mutating func write(_ text: String) async throws(PostgresError) {
        self.batch.append(contentsOf: text.utf8)
        if self.batch.count >= CopyFeed.batchBytes { try await self.flush() }
    }

    mutating func flush() async throws(PostgresError) {
        let batch = self.batch
        self.batch = []
        self.batch.reserveCapacity(batch.count)
        try await self.feed.give(batch)
    }
}

/// Takes rows of values for a COPY in the binary format.
///
/// Values are written as their types' binary form, which has to be that of the column: the server converts
/// nothing here, so an `Int` fits an `int8` column and no other.
package struct PostgresCopyRowWriter: ~Copyable {
    /// The values of one row, in the order of the columns.
    package struct Row: ~Copyable {
        fileprivate var writer: PostgresWriter
        fileprivate var count: Int16 = 0

        package mutating func append(_ value: some PostgresEncodable) {
            self.count += 1
            self.writer.writeCounted(isNull: value.isPostgresNull) { value.encode(into: &$0) }
        }
    }

    /// The server's own bound of a value, and nearly that of a row.
    private static let rowBytesMax = 1 << 30

    private let feed: CopyFeed
    private let columns: Int
    private var writer = PostgresWriter()

    init(_ feed: CopyFeed, columns: Int) {
        self.feed = feed
        self.columns = columns
        self.writer.write([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00])
        self.writer.write(Int64(0))  // No flags, no extension.
    }

    /// Appends one row of as many values as the COPY has columns.
    package mutating func write<each Value: PostgresEncodable>(
        _ values: repeat each Value
    ) async throws(PostgresError) {
        try self.row { row in repeat row.append(each values) }
        if self.isFull { try await self.flush() }
    }

    /// Appends a row for each element; waits only when a batch is full, not for each row.
    ///
    /// - Parameter encode: appends the values of one element, in the order of the columns.
    package mutating func write<Elements: Sequence>(
        contentsOf elements: Elements, _ encode: (Elements.Element, inout Row) -> Void
    ) async throws(PostgresError) {
        for element in elements {
            try self.row { encode(element, &$0) }
            if self.isFull { try await self.flush() }
        }
    }

    private var isFull: Bool { self.writer.bytes.count >= CopyFeed.batchBytes }

    private mutating func row(_ encode: (inout Row) -> Void) throws(PostgresError) {
        let start = self.writer.bytes.count
        self.writer.write(Int16(truncatingIfNeeded: self.columns))
        var row = Row(writer: self.writer)
        self.writer = PostgresWriter()  // So that there is one owner of the bytes, and no copy.
        encode(&row)
        let count = Int(row.count)
        self.writer = row.writer
        guard count == self.columns else {
            self.writer.bytes.removeSubrange(start...)
            throw .didNotRun(.invalid("a row of \(count) values for \(self.columns) columns"))
        }
        guard self.writer.bytes.count - start <= Self.rowBytesMax else {
            self.writer.bytes.removeSubrange(start...)
            throw .didNotRun(.invalid("a row of more than \(Self.rowBytesMax) bytes"))
        }
    }

    mutating func flush() async throws(PostgresError) {
        let bytes = self.writer.bytes
        self.writer = PostgresWriter()
        self.writer.bytes.reserveCapacity(bytes.count)
        try await self.feed.give(bytes)
    }

    mutating func end() async throws(PostgresError) {
        self.writer.write(Int16(-1))
        try await self.flush()
    }
}
