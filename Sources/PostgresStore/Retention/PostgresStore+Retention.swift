package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Forgetting what is old. Ages are judged by the database's clock.
extension PostgresStore: RetentionStore {
    package func forgetTransfers(
        olderThan age: Duration, limit: Int, holding title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Int? {
        try await self.forget(
            from: "flotilla.transfer",
            where: """
                coalesce(ended_at, 'infinity') < clock_timestamp() - \(Fragments.interval(age))
                """,
            order: "coalesce(ended_at, 'infinity'), id", limit, title, right)
    }

    package func forgetEvents(
        olderThan age: Duration, limit: Int, holding title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Int? {
        try await self.forget(
            from: "flotilla.event", where: "at < clock_timestamp() - \(Fragments.interval(age))", order: "id",
            limit,
            title, right)
    }

    /// Steps over rows that somebody else is just changing or forgetting.
    private func forget(
        from table: String, where condition: PostgresStatement, order: String, _ limit: Int,
        _ title: JobTitle,
        _ right: NodeRight
    ) async throws(StoreError) -> Int? {
        try Self.check(batch: limit)
        let row = try await self.one(
            """
            with \(Fragments.me(right)), held as materialized (
                select job from flotilla.claim
                where incarnation = \(right.incarnation.rawValue) and job = \(title.job.rawValue)
                  and epoch = \(title.epoch.rawValue) and exists (select from me)
                for key share
            ), old as materialized (
                select id from \(unescaped: table)
                where \(condition) and exists (select from held)
                order by \(unescaped: order) limit \(limit)
                for update skip locked
            ), gone as (
                delete from \(unescaped: table) t using old o where t.id = o.id
                returning 1
            )
            select exists (select from held), (select count(*) from gone)
            """)
        guard try row.reading(column: 0, as: Bool.self) else { return nil }
        return Int(try row.reading(column: 1, as: Int64.self))
    }
}
