import ClusterPorts
import PostgresDriver

extension PostgresStore {
    /// Changes or removes the row with a name, if it has the revision that is asked for.
    ///
    /// - Parameters:
    ///   - table: has `id`, `name` and `revision`.
    ///   - alias: what `columns` and `also` call the row afterwards.
    ///   - revision: nil for any.
    ///   - order: changes the row `c` that is `t` of the CTE `target`; what it needs to hold is added here.
    ///   - also: more CTEs, with a comma before them.
    ///   - columns: what `read` finds from column 2 on.
    func changed<Item>(
        _ name: String, in table: String, as alias: String, ifRevision revision: Int64?,
        by order: PostgresStatement, also: PostgresStatement = "", columns: PostgresStatement,
        read: (PostgresRow) throws(StoreError) -> Item
    ) async throws(StoreError) -> ChangeAnswer<Item> {
        let rows = try await self.run(
            """
            with target as materialized (
                select id, revision from \(unescaped: table) where name = \(name) for update
            ), \(unescaped: alias) as (
                \(order)
                where c.id = t.id and (\(revision) is null or t.revision = \(revision))
                returning c.*
            )\(also)
            select t.revision, \(unescaped: alias).id is not null, \(columns)
            from target t left join \(unescaped: alias) on true
            """)
        guard let row = rows.first else { return .unknown }
        guard try row.reading(column: 1, as: Bool.self) else {
            return .conflict(revision: try row.reading(column: 0, as: Int64.self))
        }
        return .changed(try read(row))
    }
}
