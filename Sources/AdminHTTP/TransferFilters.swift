import ClusterModel
package import ClusterPorts
import Foundation
package import HTTPDoor

/// Turns the query of `GET /transfers` into what the store is asked.
package enum TransferFilters {
    package static let longest = 1_000

    /// - Returns: what to ask, and the text that its cursors are bound to.
    package static func query(_ items: [RequestTarget.QueryItem]) throws(Problem) -> (
        query: TransferQuery, list: String
    ) {
        var reader = try QueryReader(items)
        var query = TransferQuery()
        query.account = try reader.value("account", "an account's name") { AccountName($0) }
        query.kind = try reader.choice("kind", TransferRecord.Kind.self)
        query.status = try reader.choice("status", TransferRecord.Status.self)
        query.node = try reader.value("node", "a node's name") { NodeName($0) }
        query.protocol = reader.text("protocol")
        query.digest = try reader.value("sha256", "64 hexadecimal digits") { Digest(hex: $0) }
        query.path = try Self.path("path", &reader)
        query.below = try Self.path("below", &reader)
        query.startedFrom = try Self.time("started_from", &reader)
        query.startedBefore = try Self.time("started_before", &reader)
        query.endedFrom = try Self.time("ended_from", &reader)
        query.endedBefore = try Self.time("ended_before", &reader)
        query.sizeFrom = try reader.number("size_from", in: 0...Int64.max)
        query.sizeTo = try reader.number("size_to", in: 0...Int64.max)
        let sort = try reader.choice("sort", Sort.self) ?? .startedDescending
        query.sort = sort.field
        query.descending = sort.isDescending
        // All but the place and the length of the page.
        let list = "transfers \(query)"
        if let limit = try reader.number("limit", in: 1...Int64(Self.longest)) { query.limit = Int(limit) }
        query.after = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(TransferQuery.Position.self, $0, of: list).flatMap {
                Self.isPossible($0, by: query.sort) ? $0 : nil
            }
        }
        try reader.finish()
        return (query, list)
    }

    /// Whether some record can stand there; a forged cursor may hold a time that the database does not know.
    private static func isPossible(_ position: TransferQuery.Position, by sort: TransferQuery.Sort) -> Bool {
        switch sort {
        case .started, .ended:
            // Microseconds of the years 1 to 9999.
            (-62_135_596_800_000_000..<253_402_300_800_000_000).contains(position.value ?? 0)
        case .size: true
        }
    }

    /// Where the next page begins, after the last record of this one.
    package static func position(after record: TransferRecord, sort: TransferQuery.Sort)
        -> TransferQuery.Position
    {
        func microseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1_000_000).rounded()) }
        let value: Int64? =
            switch sort {
            case .started: microseconds(record.origin.startedAt)
            case .ended: record.endedAt.map(microseconds)
            case .size: record.size
            }
        return TransferQuery.Position(value: value, id: record.id)
    }

    private enum Sort: String, CaseIterable {
        case started, ended, size
        case startedDescending = "-started"
        case endedDescending = "-ended"
        case sizeDescending = "-size"

        var field: TransferQuery.Sort {
            switch self {
            case .started, .startedDescending: .started
            case .ended, .endedDescending: .ended
            case .size, .sizeDescending: .size
            }
        }

        var isDescending: Bool {
            switch self {
            case .started, .ended, .size: false
            case .startedDescending, .endedDescending, .sizeDescending: true
            }
        }
    }

    private static func time(_ name: String, _ reader: inout QueryReader) throws(Problem) -> Date? {
        try reader.value(name, "an RFC 3339 time, for example 2026-01-31T12:00:00Z") { Timestamp.date($0) }
    }

    private static func path(_ name: String, _ reader: inout QueryReader) throws(Problem) -> HomePath? {
        try reader.value(name, "a path below the home") { text in try? HomePath(bytes: Array(text.utf8)) }
    }
}
