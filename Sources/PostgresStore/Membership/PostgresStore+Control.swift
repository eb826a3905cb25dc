package import ClusterModel
package import ClusterPorts
import Foundation
import PostgresDriver

/// What operators, and nodes about themselves, change of a member.
extension PostgresStore {
    package func drain(
        _ target: Incarnation, by asker: DrainOrder.Asker, reason: String
    ) async throws(StoreError) -> Member? {
        // What was asked for already stays as it is; an operator's word replaces a node's.
        try await self.change(
            target,
            set: "status = 'draining', drain_by = \(asker.rawValue), drain_reason = \(reason)",
            where: """
                m.status = 'active'
                or (m.status = 'draining' and m.drain_by = 'node' and \(asker.rawValue) = 'operator')
                """,
            note: "\(asker == .operator ? "drained: " : "drains itself: ") || \(reason)")
    }

    package func resume(
        _ target: Incarnation, by asker: DrainOrder.Asker, reason: String = ""
    ) async throws(StoreError) -> Member? {
        let said =
            (asker == .operator ? "resumed" : "resumed by itself") + (reason.isEmpty ? "" : ": \(reason)")
        return try await self.change(
            target, set: "status = 'active', drain_by = null, drain_reason = null",
            where:
                "m.status = 'draining' and (\(asker.rawValue) = 'operator' or m.drain_by = \(asker.rawValue))",
            note: "\(said)")
    }

    package func setAttributes(
        _ changes: [String: String?], of target: Incarnation
    ) async throws(StoreError) -> Member? {
        let set = try MemberRow.json(changes.compactMapValues { $0 })
        let removed = changes.filter { $0.value == nil }.keys.sorted()
        let merged: PostgresStatement = "(m.set_attributes - \(removed)) || \(set)"
        return try await self.change(
            target, set: "set_attributes = \(merged)",
            where: """
                m.set_attributes <> (\(merged))
                and (select count(*) from jsonb_object_keys(\(merged))) <= greatest(
                    \(NodeAttributes.setMax), (select count(*) from jsonb_object_keys(m.set_attributes)))
                """,
            note: "\("attributes set")")
    }

    /// Changes a live member if the condition holds, makes a view of it, and answers the member as it is then.
    ///
    /// - Parameter note: SQL for the reason.
    private func change(
        _ target: Incarnation, set: PostgresStatement, where condition: PostgresStatement,
        note: PostgresStatement
    ) async throws(StoreError) -> Member? {
        // The row is locked first: who waits here for another change answers what that one left, where a plain
        // SELECT would answer what was before. What this statement changes itself, only `changed` shows.
        let rows = try await self.run(
            """
            with target as materialized (
                select * from flotilla.member
                where incarnation = \(target.rawValue) and status <> 'dead'
                for no key update
            ), changed as (
                update flotilla.member m set \(set)
                from target t where m.slot = t.slot and (\(condition))
                returning m.*
            ), told as materialized (
                select m.slot, m.name, m.incarnation, \(note) as reason from changed m
            ), \(Fragments.nextView(from: "told"))
            select \(MemberRow.columns) from changed m
            union all
            select \(MemberRow.columns) from target m
            where not exists (select from changed)
            """)
        guard let row = rows.first else { return nil }
        return try MemberRow.member(row, from: 0)
    }

    package func viewHistory(_ query: ViewHistoryQuery) async throws(StoreError) -> [ViewChange] {
        var conditions: PostgresStatement = "true"
        if let node = query.node { conditions.append(" and name = \(node.description)") }
        if let incarnation = query.incarnation {
            conditions.append(" and incarnation = \(incarnation.rawValue)")
        }
        if let before = query.before { conditions.append(" and view_version < \(before)") }
        let rows = try await self.run(
            """
            select view_version, at, reason, slot, name, incarnation from flotilla.view_history
            where \(conditions) order by view_version desc limit \(query.limit)
            """)
        var changes: [ViewChange] = []
        for row in rows {
            let (version, at, reason, slot, name, incarnation) = try row.reading(
                Int64.self, Date.self, String.self, Int16?.self, String?.self, Int64?.self)
            changes.append(
                ViewChange(
                    version: version, at: at, reason: reason, slot: slot.map { Slot($0) },
                    name: try name.map { (text) throws(StoreError) in try NodeName(stored: text) },
                    incarnation: try incarnation.map { (value) throws(StoreError) in
                        try Incarnation(stored: value)
                    }))
        }
        return changes
    }
}
