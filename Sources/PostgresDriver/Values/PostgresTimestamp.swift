/// A `timestamp` without time zone: what a clock on some wall showed, in microseconds.
package struct PostgresTimestamp: Sendable, Hashable, Comparable {
    /// The server's own count, from 2000-01-01 on; its extremes mean minus and plus infinity.
    package let microsecondsSince2000: Int64

    package init(microsecondsSince2000: Int64) { self.microsecondsSince2000 = microsecondsSince2000 }

    package static func < (one: PostgresTimestamp, other: PostgresTimestamp) -> Bool {
        one.microsecondsSince2000 < other.microsecondsSince2000
    }
}

extension PostgresTimestamp: PostgresScalar {
    package static var postgresType: PostgresType { .timestamp }
    package static var postgresArrayType: PostgresType { .timestampArray }
    package func encode(into writer: inout PostgresWriter) { writer.write(self.microsecondsSince2000) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> PostgresTimestamp {
        guard cell.type == .timestamp else { throw .type(cell.type, wanted: PostgresTimestamp.self) }
        return try PostgresTimestamp(microsecondsSince2000: cell.integer(as: Int64.self))
    }
}

/// A `date`: a day of the calendar.
package struct PostgresDate: Sendable, Hashable, Comparable {
    /// The server's own count, from 2000-01-01 on; its extremes mean minus and plus infinity.
    package let daysSince2000: Int32

    package init(daysSince2000: Int32) { self.daysSince2000 = daysSince2000 }

    package static func < (one: PostgresDate, other: PostgresDate) -> Bool {
        one.daysSince2000 < other.daysSince2000
    }
}

extension PostgresDate: PostgresScalar {
    package static var postgresType: PostgresType { .date }
    package static var postgresArrayType: PostgresType { .dateArray }
    package func encode(into writer: inout PostgresWriter) { writer.write(self.daysSince2000) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> PostgresDate {
        guard cell.type == .date else { throw .type(cell.type, wanted: PostgresDate.self) }
        return try PostgresDate(daysSince2000: cell.integer(as: Int32.self))
    }
}
