import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// How accounts, keys and tokens are read from their rows.
enum AccountRow {
    /// For a table called `a`; nine columns.
    static let columns: PostgresStatement = """
        a.id, a.name, a.enabled, a.password_hash, a.created_at, a.changed_at, a.revision, a.quota_bytes, a.quota_files
        """

    static func account(_ row: PostgresRow, from start: Int) throws(StoreError) -> Account {
        Account(
            id: AccountID(try row.reading(column: start, as: UUID.self)),
            name: try AccountName(stored: row.reading(column: start + 1, as: String.self)),
            enabled: try row.reading(column: start + 2, as: Bool.self),
            passwordHash: try row.reading(column: start + 3, as: String?.self),
            createdAt: try row.reading(column: start + 4, as: Date.self),
            changedAt: try row.reading(column: start + 5, as: Date.self),
            revision: try row.reading(column: start + 6, as: Int64.self),
            quota: Quota(
                limits: try row.reading(column: start + 7, as: Int64?.self),
                try row.reading(column: start + 8, as: Int64?.self)))
    }
}

enum KeyRow {
    /// For a table called `k`; seven columns.
    static let columns: PostgresStatement = """
        k.id, k.account_id, k.label, k.digest, k.created_at, k.expires_at, k.enabled
        """

    static func key(_ row: PostgresRow, from start: Int) throws(StoreError) -> APIKey {
        APIKey(
            id: try row.reading(column: start, as: UUID.self),
            account: AccountID(try row.reading(column: start + 1, as: UUID.self)),
            label: try row.reading(column: start + 2, as: String.self),
            digest: try Digest(stored: row.reading(column: start + 3, as: [UInt8].self)),
            createdAt: try row.reading(column: start + 4, as: Date.self),
            expiresAt: try row.reading(column: start + 5, as: Date?.self),
            enabled: try row.reading(column: start + 6, as: Bool.self))
    }
}

enum TokenRow {
    /// For a table called `t`; six columns.
    static let columns: PostgresStatement = "t.id, t.label, t.digest, t.role, t.created_at, t.expires_at"

    static func token(_ row: PostgresRow, from start: Int) throws(StoreError) -> OperatorToken {
        OperatorToken(
            id: try row.reading(column: start, as: UUID.self),
            label: try row.reading(column: start + 1, as: String.self),
            digest: try Digest(stored: row.reading(column: start + 2, as: [UInt8].self)),
            role: try OperatorToken.Role(stored: row.reading(column: start + 3, as: String.self)),
            createdAt: try row.reading(column: start + 4, as: Date.self),
            expiresAt: try row.reading(column: start + 5, as: Date?.self))
    }
}
