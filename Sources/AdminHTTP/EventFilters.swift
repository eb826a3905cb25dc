package import ClusterModel
package import ClusterPorts
import Foundation
package import HTTPDoor

/// Turns the query of `GET /events` into what the store is asked.
package enum EventFilters {
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999
    private static let list = "events"

    private enum Sort: String, CaseIterable {
        case id
        case idDescending = "-id"
    }

    package static func query(_ items: [RequestTarget.QueryItem]) throws(Problem) -> (EventQuery, limit: Int)
    {
        var reader = try QueryReader(items)
        var query = EventQuery()
        query.account = try reader.value("account", "an account's name") { AccountName($0) }
        query.kind = try reader.choice("kind", EventKind.self)
        query.operation = try reader.value("operation", "the id of a transfer") { UUID(uuidString: $0) }
        query.from = try Self.time("from", &reader)
        query.before = try Self.time("before", &reader)
        query.newestFirst = try reader.choice("sort", Sort.self) != .id
        let limit = try reader.page(of: Self.list, &query, longest: Self.longest) { (content: Int64) in
            EventID(rawValue: content)
        }
        return (query, limit)
    }

    package static func cursor(after event: EventRecord, _ query: EventQuery) -> String {
        PageCursor.text(event.id.rawValue, of: query.list(Self.list))
    }

    private static func time(_ name: String, _ reader: inout QueryReader) throws(Problem) -> Date? {
        try reader.value(name, "an RFC 3339 time, for example 2026-01-31T12:00:00Z") { Timestamp.date($0) }
    }
}
