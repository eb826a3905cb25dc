import ClusterModel
package import ClusterPorts
package import HTTPDoor

/// Turns the query of `GET /cluster/views` into what the store is asked.
package enum ViewFilters {
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999

    package static func query(_ items: [RequestTarget.QueryItem]) throws(Problem) -> (
        ViewHistoryQuery, limit: Int
    ) {
        var reader = try QueryReader(items)
        var query = ViewHistoryQuery()
        query.node = try reader.value("node", "a node's name") { NodeName($0) }
        query.incarnation = try reader.incarnation()
        let list = Self.list(query)
        query.before = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(Int64.self, $0, of: list)
        }
        let limit = try reader.number("limit", in: 1...Int64(Self.longest)).map { Int($0) } ?? 100
        query.limit = limit + 1
        try reader.finish()
        return (query, limit)
    }

    package static func cursor(after change: ViewChange, _ query: ViewHistoryQuery) -> String {
        PageCursor.text(change.version, of: Self.list(query))
    }

    private static func list(_ query: ViewHistoryQuery) -> String {
        "views \(query.node?.description ?? "") \(query.incarnation?.description ?? "")"
    }
}
