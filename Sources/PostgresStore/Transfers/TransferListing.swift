import ClusterModel
package import ClusterPorts
package import PostgresDriver

import struct Foundation.Data

/// Turns a question to the transfer log into SQL; every value is a parameter.
package enum TransferListing {
    /// The most records of a page.
    static let limit = 1_000

    /// Not prepared: each set of filters is planned for its own values.
    package static func statement(_ query: TransferQuery) -> PostgresStatement {
        var statement: PostgresStatement = "select \(TransferRow.columns) from flotilla.transfer where true"
        for condition in Self.filters(query) { statement.append(" and \(condition)") }
        let key = Self.key(query.sort)
        if let after = query.after {
            // Rows that come and go do not move this place, so no page misses or repeats a row.
            let place = Self.place(query.sort, after.value)
            let side: PostgresStatement = query.descending ? "<" : ">"
            statement.append(" and (\(key), id) \(side) (\(place), \(after.id))")
        }
        let order: PostgresStatement = query.descending ? "desc" : "asc"
        statement.append(
            " order by \(key) \(order), id \(order) limit \(min(max(query.limit, 1), Self.limit))")
        return statement.unprepared()
    }

    /// What has not ended counts as ending last.
    private static func key(_ sort: TransferQuery.Sort) -> PostgresStatement {
        switch sort {
        case .started: "started_at"
        case .ended: "coalesce(ended_at, 'infinity')"
        case .size: "size"
        }
    }

    private static func place(_ sort: TransferQuery.Sort, _ value: Int64?) -> PostgresStatement {
        switch sort {
        case .size: "\(value ?? .max)"
        case .started, .ended:
            "\(value.map { PostgresInstant(microsecondsSince1970: $0) } ?? .distantFuture)"
        }
    }

    private static func filters(_ query: TransferQuery) -> [PostgresStatement] {
        var filters: [PostgresStatement] = []
        if let account = query.account { filters.append("account = \(account.description)") }
        if let kind = query.kind { filters.append("kind = \(kind.rawValue)") }
        // As words of the SQL, so that the partial indexes fit.
        switch query.status {
        case .running?: filters.append("status = 'running'")
        case .completed?: filters.append("status = 'completed'")
        case .failed?: filters.append("status = 'failed'")
        case nil: break
        }
        if let node = query.node { filters.append("node = \(node.description)") }
        if let name = query.`protocol` { filters.append("protocol = \(name)") }
        if let digest = query.digest { filters.append("digest = \(digest.bytes)") }
        if let path = query.path {
            filters.append(
                "substr(sha256(path), 1, 8) = substr(sha256(\(path.bytes)), 1, 8) and path = \(path.bytes)")
        }
        if let folder = query.below, !folder.isHome {
            filters.append("path > \(folder.bytes) and \(Fragments.within("path", "\(folder.bytes)"))")
        }
        if !query.targets.isEmpty {
            let targets = query.targets.prefix(Self.limit).map { Data($0.bytes) }
            filters.append(
                """
                target = any (\(targets)) and kind = 'move'
                and substr(sha256(target), 1, 8) = any (array(select substr(sha256(t), 1, 8) from unnest(\(targets)) t))
                """)
        }
        if let from = query.startedFrom { filters.append("started_at >= \(from)") }
        if let before = query.startedBefore { filters.append("started_at < \(before)") }
        if let from = query.endedFrom {
            filters.append("coalesce(ended_at, 'infinity') >= \(from) and ended_at is not null")
        }
        if let before = query.endedBefore { filters.append("coalesce(ended_at, 'infinity') < \(before)") }
        if let from = query.sizeFrom { filters.append("size >= \(from)") }
        if let to = query.sizeTo { filters.append("size <= \(to)") }
        return filters
    }
}
