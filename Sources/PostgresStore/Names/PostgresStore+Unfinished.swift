package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Reads of the names that are being changed.
extension PostgresStore {
    package func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName? {
        try await self.endLostSessions()
        return try await self.unfinished(
            where: "n.account_id = \(account.rawValue) and n.path_key = sha256(\(path.bytes))", limit: 1
        ).first
    }

    package func unfinished(
        account: AccountID, below folder: HomePath, limit: Int
    ) async throws(StoreError) -> [UnfinishedName] {
        try await self.unfinished(
            where: """
                n.account_id = \(account.rawValue) and n.path <> \(folder.bytes)
                and \(Fragments.within("n.path", "\(folder.bytes)"))
                """,
            limit: limit)
    }

    package func unfinished(of incarnation: Incarnation, limit: Int) async throws(StoreError)
        -> [UnfinishedName]
    {
        try await self.unfinished(where: "n.incarnation = \(incarnation.rawValue)", limit: limit)
    }

    private func unfinished(
        where condition: PostgresStatement, limit: Int
    ) async throws(StoreError) -> [UnfinishedName] {
        let rows = try await self.run(
            """
            select \(NameRow.columns) from flotilla.name n
            where \(condition) order by n.account_id, n.path_key limit \(limit)
            """)
        var names: [UnfinishedName] = []
        for row in rows { names.append(try NameRow.unfinished(row)) }
        return names
    }
}
