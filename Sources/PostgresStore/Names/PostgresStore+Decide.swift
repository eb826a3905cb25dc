package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Data

/// Decisions about names. The order of locks is: the member, the homes by id, the names by key.
extension PostgresStore {
    package func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        try await self.decide(publications, me: Fragments.me(right), by: right)
    }

    /// - Parameters:
    ///   - me: what proves the right.
    ///   - effect: a CTE besides, over `decided`, which has rows if something was.
    func decide(
        _ publications: [Publication], me: PostgresStatement, effect: PostgresStatement? = nil,
        by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        guard !publications.isEmpty else { return [] }
        try Self.check(batch: publications.count)
        let rows = try await self.deciding(Self.decide(publications, me, effect, by: right))
        guard rows.count == publications.count else {
            throw .corrupt("\(rows.count) answers came to \(publications.count) decisions")
        }
        var answers: [DecisionAnswer] = []
        for row in rows { answers.append(try DecisionAnswer(stored: row.reading(String.self))) }
        return answers
    }

    /// Locks the homes against marking a folder, and reads what is busy from the locked rows; nothing here is looked at
    /// first, so nothing of a metered home is decided here.
    ///
    /// Of two for one name the earlier row in the index wins; the other one does nothing.
    private static func decide(
        _ publications: [Publication], _ me: PostgresStatement, _ effect: PostgresStatement?,
        by right: NodeRight
    ) -> PostgresStatement {
        let more: PostgresStatement = effect.map { ", decided as (select from taken), \($0)" } ?? ""
        return """
            with \(me), asked as materialized (
                select * from \(Self.unnested(publications))
            ), homes as materialized (
                select h.account_id, h.busy, h.busy_operation, h.metered from flotilla.home h
                where h.account_id = any (array(select account_id from asked)) and exists (select from me)
                order by h.account_id
                for share
            ), judged as materialized (
                select a.*, case
                    when h.account_id is null then 'gone'
                    when h.metered then 'metered'
                    when \(Fragments.isBusy("a.path", for: "a.operation")) then 'busyFolder' end as fault
                from asked a left join homes h on h.account_id = a.account_id
            ), taken as (
                insert into flotilla.name (
                    account_id, path, operation, incarnation, state, account_name, node, protocol, client, started_at,
                    change, staged_incarnation, staged_file, inode, size, modified, is_folder, digest, replaces)
                select account_id, path, operation, \(right.incarnation.rawValue), 'decided', account_name, node,
                       protocol, client, started_at, 'publish', staged_incarnation, staged_file, inode, size, modified,
                       is_folder, digest, replaces
                from judged where fault is null and exists (select from me)
                order by account_id, sha256(path), place
                on conflict (account_id, path_key) do nothing
                returning account_id, path, operation
            )\(more)
            select case
                when not exists (select from me) then 'fenced'
                when j.fault is not null then j.fault
                when exists (
                    select from taken t
                    where t.operation = j.operation and t.account_id = j.account_id and t.path = j.path) then 'decided'
                else 'busyName' end
            from judged j order by j.place
            """
    }

    private static func unnested(_ publications: [Publication]) -> PostgresStatement {
        let operations = publications.map(\.operation)
        let identities = publications.map(\.staged.identity)
        return """
            unnest(
                \(operations.map(\.id)), \(operations.map(\.account.rawValue)),
                \(operations.map(\.accountName.description)), \(operations.map(\.origin.node.description)),
                \(operations.map(\.origin.`protocol`)), \(operations.map(\.origin.client)),
                \(operations.map(\.origin.startedAt)), \(publications.map(\.path.bytes)),
                \(publications.map(\.staged.name.incarnation.rawValue)), \(publications.map(\.staged.name.file)),
                \(identities.map { Int64(bitPattern: $0.inode) }), \(identities.map(\.size)),
                \(identities.map(\.modified)), \(identities.map(\.isFolder)),
                \(publications.map { $0.digest.map { Data($0.bytes) } }), \(publications.map(\.replaces))
            ) with ordinality as a (
                operation, account_id, account_name, node, protocol, client, started_at, path, staged_incarnation,
                staged_file, inode, size, modified, is_folder, digest, replaces, place)
            """
    }
}
