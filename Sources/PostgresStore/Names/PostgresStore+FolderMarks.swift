package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Data

/// Marks on folders that are being moved or removed.
///
/// The order that keeps a folder operation and the decisions below it apart:
/// 1. `mark` changes the home's row and so waits for every decision that holds it `for share`;
/// 2. only after it has answered, the caller asks `unfinished(account:below:limit:)`, a statement with a
///    snapshot of its own, which therefore shows all decisions that came before the mark;
/// 3. decisions that come later wait for the row, read it anew and find the mark.
extension PostgresStore {
    package func mark(
        folders: [HomePath], for operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try Self.check(batch: folders.count)
        // What this operation marked before does not count as busy, nor is it marked twice.
        let row = try await self.one(
            """
            with \(Fragments.me(right)), home as materialized (
                select account_id from flotilla.home
                where account_id = \(operation.account.rawValue) and exists (select from me)
            ), asked as materialized (
                select distinct path from unnest(\(folders.map { Data($0.bytes) })) as a (path)
            ), marked as (
                update flotilla.home h
                set (busy, busy_operation, busy_incarnation) = (
                    select array_agg(u.folder), array_agg(u.operation), array_agg(u.incarnation)
                    from (
                        select b.folder, b.operation, b.incarnation
                        from unnest(h.busy, h.busy_operation, h.busy_incarnation)
                            as b (folder, operation, incarnation)
                        union
                        select a.path, \(operation.id), \(right.incarnation.rawValue) from asked a
                    ) as u)
                where h.account_id = \(operation.account.rawValue) and exists (select from me)
                  and cardinality(h.busy) + \(folders.count) <= 1000
                  and not exists (
                      select from unnest(h.busy, h.busy_operation) as b (folder, operation), asked a
                      where b.operation <> \(operation.id)
                        and (\(Fragments.within("a.path", "b.folder")) or \(Fragments.within("b.folder", "a.path"))))
                returning 1
            )
            select case
                when not exists (select from me) then 'fenced'
                when not exists (select from home) then 'gone'
                when exists (select from marked) then 'decided'
                else 'busyFolder' end
            """)
        return try DecisionAnswer(stored: row.reading(String.self))
    }

    package func release(
        folders: [HomePath], of operation: Operation, by right: NodeRight
    ) async throws(StoreError) {
        let unmarking = Self.unmarking(
            where: "h.account_id = \(operation.account.rawValue) and exists (select from me)",
            keeping: """
                (b.operation <> \(operation.id) or not b.folder = any (\(folders.map { Data($0.bytes) })))
                """)
        _ = try await self.run("with \(Fragments.me(right)) \(unmarking)")
    }

    /// An update of homes `h` that keeps the marks `b` (folder, operation, incarnation) of a condition.
    static func unmarking(
        where homes: PostgresStatement, keeping marks: PostgresStatement
    ) -> PostgresStatement {
        """
        update flotilla.home h
        set (busy, busy_operation, busy_incarnation) = (
            select coalesce(array_agg(b.folder), '{}'), coalesce(array_agg(b.operation), '{}'),
                   coalesce(array_agg(b.incarnation), '{}')
            from unnest(h.busy, h.busy_operation, h.busy_incarnation) as b (folder, operation, incarnation)
            where \(marks))
        where \(homes)
        """
    }
}
