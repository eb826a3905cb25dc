/// The parameters of one statement, encoded, in two allocations whatever their number.
struct PostgresParameters: Sendable {
    struct Entry {
        var type: PostgresType
        /// Bytes of the value, or -1 for NULL.
        var length: Int32
        /// Where its `$n` begins in the UTF-8 of the SQL.
        var place: Int
    }

    private(set) var entries: [Entry] = []
    private var writer = PostgresWriter()

    var count: Int { self.entries.count }
    /// The values, one after the other, without gaps.
    var bytes: [UInt8] { self.writer.bytes }

    mutating func reserve(_ count: Int) {
        self.entries.reserveCapacity(count)
        self.writer.bytes.reserveCapacity(16 * count)
    }

    mutating func append<Value: PostgresEncodable>(_ value: Value, to sql: inout String) {
        var entry = Entry(type: Value.postgresType, length: -1, place: sql.utf8.count)
        if !value.isPostgresNull {
            let start = self.writer.bytes.count
            value.encode(into: &self.writer)
            entry.length = Int32(clamping: self.writer.bytes.count - start)
        }
        self.entries.append(entry)
        sql += "$\(self.entries.count)"
    }

    /// Appends the SQL of another statement with its placeholders counted on from here.
    mutating func append(_ other: PostgresParameters, of otherSQL: String, to sql: inout String) {
        var rest = otherSQL.utf8[...]
        var consumed = 0
        for (index, entry) in other.entries.enumerated() {
            sql += Substring(rest.prefix(entry.place - consumed))
            let placeholder = 1 + "\(index + 1)".utf8.count
            rest = rest.dropFirst(entry.place - consumed + placeholder)
            consumed = entry.place + placeholder
            self.entries.append(Entry(type: entry.type, length: entry.length, place: sql.utf8.count))
            sql += "$\(self.entries.count)"
        }
        sql += Substring(rest)
        self.writer.write(other.writer.bytes)
    }

    /// Why the server would not take these; nil when it will.
    var fault: String? {
        if self.count > 65_535 {
            return "\(self.count) parameters are more than the 65535 that a statement may have"
        }
        if self.bytes.count > 1 << 30 {
            return "parameters of \(self.bytes.count) bytes are more than the 1 GiB allowed"
        }
        return nil
    }
}
