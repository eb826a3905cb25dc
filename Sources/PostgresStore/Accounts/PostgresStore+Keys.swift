package import ClusterModel
package import ClusterPorts
import PostgresDriver

package import struct Foundation.UUID

/// Keys of accounts, and tokens of operators.
extension PostgresStore {
    package func key(digest: Digest) async throws(StoreError) -> Versioned<KeyAndAccount?> {
        let row = try await self.one(
            """
            select c.config_version, k.id is not null, \(KeyRow.columns), \(AccountRow.columns)
            from flotilla.cluster c
            left join (flotilla.api_key k join flotilla.account a on a.id = k.account_id)
                on k.digest = \(digest.bytes)
            """)
        let version = ConfigVersion(try row.reading(column: 0, as: Int64.self))
        guard try row.reading(column: 1, as: Bool.self) else { return Versioned(nil, at: version) }
        let found = KeyAndAccount(
            key: try KeyRow.key(row, from: 2), account: try AccountRow.account(row, from: 9))
        return Versioned(found, at: version)
    }

    /// An account has 1,000 keys at most.
    ///
    /// Refused with 23503 when the account is unknown.
    package func addKey(_ key: APIKey) async throws(StoreError) {
        let row = try await self.one(
            """
            with owner as (
                update flotilla.account set key_count = key_count + 1, key_changes = key_changes + 1
                where id = \(key.account.rawValue)
                returning id
            ), added as (
                insert into flotilla.api_key (id, account_id, label, digest, created_at, expires_at, enabled)
                select \(key.id), o.id, \(key.label), \(key.digest.bytes), \(key.createdAt), \(key.expiresAt),
                       \(key.enabled)
                from owner o
                returning digest
            ), voided as (
                select array['key'] as kinds, array[encode(digest, 'hex')] as subjects from added
            ), \(Fragments.nextConfiguration(ifAny: "added")), \(Fragments.noteConfiguration)
            select exists (select from added)
            """)
        guard try row.reading(Bool.self) else {
            throw .refused(
                sqlState: SQLState.foreignKeyViolation.rawValue, message: "there is no account \(key.account)"
            )
        }
    }

    package func keys(of account: AccountID) async throws(StoreError) -> [APIKey] {
        let rows = try await self.run(
            """
            select \(KeyRow.columns) from flotilla.api_key k
            where k.account_id = \(account.rawValue) order by k.created_at, k.id
            """)
        var keys: [APIKey] = []
        for row in rows { keys.append(try KeyRow.key(row, from: 0)) }
        return keys
    }

    /// Removes the key for good.
    package func revokeKey(_ id: UUID, of account: AccountID) async throws(StoreError) -> Bool {
        let row = try await self.one(
            """
            with owner as materialized (
                select id from flotilla.account where id = \(account.rawValue) for no key update
            ), removed as (
                delete from flotilla.api_key k using owner o where k.id = \(id) and k.account_id = o.id
                returning k.account_id, k.digest
            ), counted as (
                update flotilla.account a set key_count = a.key_count - 1, key_changes = a.key_changes + 1
                from removed r where a.id = r.account_id
            ), voided as (
                select array['key'] as kinds, array[encode(digest, 'hex')] as subjects from removed
            ), \(Fragments.nextConfiguration(ifAny: "removed")), \(Fragments.noteConfiguration)
            select exists (select from removed)
            """)
        return try row.reading(Bool.self)
    }
}
