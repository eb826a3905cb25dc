package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Reading leases.
extension PostgresStore {
    package func leases(of subjects: [LeaseSubject]) async throws(StoreError) -> [LeaseRecord] {
        guard !subjects.isEmpty else { return [] }
        try Self.check(batch: subjects.count)
        return try LeaseRow.records(
            await self.run(
                """
                select \(LeaseRow.columns)
                from unnest(\(subjects.map(\.kind.description)), \(subjects.map(\.id))) as a (kind, id)
                join flotilla.lease l on l.kind = a.kind and l.id = a.id
                \(LeaseRow.holder)
                order by l.kind, l.id
                """))
    }

    package func leases(_ query: LeaseQuery) async throws(StoreError) -> [LeaseRecord] {
        guard (1...1_000).contains(query.limit) else {
            throw .refused(sqlState: "22000", message: "a page has 1 to 1,000 leases, not \(query.limit)")
        }
        var filters: PostgresStatement = "true"
        if let epoch = query.epoch { filters.append(" and l.epoch = \(epoch.rawValue)") }
        if let id = query.id { filters.append(" and l.id = \(id)") }
        if let kind = query.kind { filters.append(" and l.kind = \(kind.description)") }
        if let incarnation = query.incarnation {
            filters.append(" and l.incarnation = \(incarnation.rawValue)")
        }
        if let node = query.node {
            filters.append(" and coalesce(m.name, d.name, 'worker-' || l.slot) = \(node.description)")
        }
        if let age = query.olderThan {
            filters.append(" and l.acquired_at < clock_timestamp() - \(Fragments.interval(age))")
        }
        if let age = query.youngerThan {
            filters.append(" and l.acquired_at > clock_timestamp() - \(Fragments.interval(age))")
        }
        if let after = query.after {
            let isBelow = query.newestFirst
            filters.append(
                isBelow ? " and l.epoch < \(after.rawValue)" : " and l.epoch > \(after.rawValue)")
        }
        let order: PostgresStatement = query.newestFirst ? "desc" : "asc"
        return try LeaseRow.records(
            await self.run(
                """
                select \(LeaseRow.columns) from flotilla.lease l
                \(LeaseRow.holder)
                where \(filters) order by l.epoch \(order) limit \(query.limit)
                """))
    }

    package func deadlines(after epoch: Epoch?, limit: Int) async throws(StoreError) -> [LeaseRecord] {
        try LeaseRow.records(
            await self.run(
                """
                select \(LeaseRow.columns) from flotilla.lease l
                \(LeaseRow.holder)
                where l.deadline_ms is not null and l.epoch > \(epoch?.rawValue ?? 0)
                order by l.epoch limit \(min(limit, Self.batchLimit))
                """))
    }

    package func losses(
        of incarnation: Incarnation, after number: Int64
    ) async throws(StoreError) -> [LeaseLoss] {
        let rows = try await self.run(
            """
            select number, kind, id, epoch from flotilla.lease_loss
            where incarnation = \(incarnation.rawValue) and number > \(number)
            order by number limit \(Self.batchLimit)
            """)
        var losses: [LeaseLoss] = []
        for row in rows {
            let (number, kind, id, epoch) = try row.reading(
                Int64.self, String.self, String.self, Int64.self)
            losses.append(LeaseLoss(number: number, title: try LeaseRow.title(kind, id, epoch)))
        }
        return losses
    }
}
