package import ClusterModel
package import ClusterPorts
package import HTTPDoor

/// Turns the query of `GET /leases` into what the store is asked.
package enum LeaseFilters {
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999
    private static let list = "leases"
    private static let week: Int64 = 7 * 24 * 3_600

    package enum Sort: String, CaseIterable, Sendable {
        case epoch
        case epochDescending = "-epoch"
    }

    package static func query(_ items: [RequestTarget.QueryItem]) throws(Problem) -> (LeaseQuery, limit: Int)
    {
        var reader = try QueryReader(items)
        var query = LeaseQuery()
        query.kind = try reader.value("kind", "a kind of lease, 1 to 32 of a-z 0-9 -") { LeaseKind($0) }
        query.id = reader.text("id")
        query.node = try reader.value("node", "a node's name") { NodeName($0) }
        query.incarnation = try reader.incarnation()
        query.olderThan = try reader.number("older_than", in: 0...Self.week).map { .seconds($0) }
        query.youngerThan = try reader.number("younger_than", in: 0...Self.week).map { .seconds($0) }
        query.newestFirst = try reader.choice("sort", Sort.self) == .epochDescending
        let limit = try reader.page(of: Self.list, &query, longest: Self.longest) { (content: Int64) in
            Epoch(rawValue: content)
        }
        return (query, limit)
    }

    package static func cursor(after lease: LeaseRecord, _ query: LeaseQuery) -> String {
        PageCursor.text(lease.title.epoch.rawValue, of: query.list(Self.list))
    }
}
