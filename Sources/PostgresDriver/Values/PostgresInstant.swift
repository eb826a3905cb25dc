package import FoundationEssentials

/// A `timestamptz`: microseconds, as the server keeps them.
package struct PostgresInstant: Sendable, Hashable, Comparable {
    /// The server's own count, from 2000-01-01 UTC on; its extremes mean minus and plus infinity.
    package let microsecondsSince2000: Int64

    private static let epochs: Int64 = 946_684_800_000_000

    package static let distantPast = PostgresInstant(microsecondsSince2000: .min)
    package static let distantFuture = PostgresInstant(microsecondsSince2000: .max)

    package init(microsecondsSince2000: Int64) { self.microsecondsSince2000 = microsecondsSince2000 }

    /// Times that do not fit become the infinity on their side.
    package init(microsecondsSince1970: Int64) {
        let (value, overflow) = microsecondsSince1970.subtractingReportingOverflow(Self.epochs)
        self.microsecondsSince2000 = overflow ? .min : value
    }

    /// The two infinities stay `Int64.min` and `.max`.
    package var microsecondsSince1970: Int64 {
        guard self.microsecondsSince2000 != .min else { return .min }
        let (value, overflow) = self.microsecondsSince2000.addingReportingOverflow(Self.epochs)
        return overflow ? .max : value
    }

    package static func < (one: PostgresInstant, other: PostgresInstant) -> Bool {
        one.microsecondsSince2000 < other.microsecondsSince2000
    }
}

extension PostgresInstant: PostgresScalar {
    package static var postgresType: PostgresType { .timestamptz }
    package static var postgresArrayType: PostgresType { .timestamptzArray }
    package func encode(into writer: inout PostgresWriter) { writer.write(self.microsecondsSince2000) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> PostgresInstant {
        guard cell.type == .timestamptz else { throw .type(cell.type, wanted: PostgresInstant.self) }
        return try PostgresInstant(microsecondsSince2000: cell.integer(as: Int64.self))
    }
}

/// Exact to the microsecond within some centuries of today; use `PostgresInstant` where every bit counts.
extension Date: PostgresScalar {
    package static var postgresType: PostgresType { .timestamptz }
    package static var postgresArrayType: PostgresType { .timestamptzArray }

    private static let secondsTo2000: Double = 946_684_800

    package func encode(into writer: inout PostgresWriter) {
        let microseconds = ((self.timeIntervalSince1970 - Self.secondsTo2000) * 1_000_000).rounded()
        let outside: Int64 = microseconds < 0 ? .min : .max
        writer.write(Int64(exactly: microseconds) ?? outside)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Date {
        let instant = try PostgresInstant.decode(cell)
        return Date(timeIntervalSince1970: Double(instant.microsecondsSince1970) / 1_000_000)
    }
}
