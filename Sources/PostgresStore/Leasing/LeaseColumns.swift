import ClusterModel
import PostgresDriver

/// Requests and titles as arrays that the server unnests, as the table `a`.
enum LeaseColumns {
    static func unnested(_ requests: [LeaseRequest]) -> PostgresStatement {
        """
        unnest(
            \(requests.map(\.subject.kind.description)), \(requests.map(\.subject.id)),
            \(requests.map { $0.orderKey?.kind.description }), \(requests.map { $0.orderKey?.id }),
            \(requests.map { $0.limit?.key }), \(requests.map { $0.limit.map { Int16($0.slots) } }),
            \(requests.map { $0.deadline.map { max(1, $0.wholeMilliseconds) } })
        ) with ordinality as a (
            kind, id, order_kind, order_id, limit_key, limit_slots, deadline_ms, place)
        """
    }

    static func unnested(_ titles: [LeaseTitle]) -> PostgresStatement {
        """
        unnest(
            \(titles.map(\.subject.kind.description)), \(titles.map(\.subject.id)), \(titles.map(\.epoch.rawValue))
        ) as a (kind, id, epoch)
        """
    }
}
