package import ClusterModel

package import struct Foundation.Date
package import struct Foundation.UUID

/// Accounts, their keys, and the tokens of operators.
///
/// Each change raises the cluster's ``ConfigVersion`` and notes what it was about, in the same statement; each
/// read says at which version it was made, in the same snapshot.
package protocol AccountStore: Sendable {
    func account(named name: AccountName) async throws(StoreError) -> Versioned<Account?>
    /// The key with this digest and its account.
    func key(digest: Digest) async throws(StoreError) -> Versioned<KeyAndAccount?>

    /// Also makes the row of the account's home. Nil when the name is taken.
    func create(_ account: Account) async throws(StoreError) -> Account?
    /// Applies the change if the account has the revision (when one is given).
    func change(
        _ name: AccountName, _ change: AccountChange, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Account>
    /// By name; `after` is the last name of the page before.
    func accounts(after: AccountName?, enabled: Bool?, limit: Int) async throws(StoreError) -> [Account]

    func addKey(_ key: APIKey) async throws(StoreError)
    func keys(of account: AccountID) async throws(StoreError) -> [APIKey]
    /// False when the account has no such key.
    func revokeKey(_ id: UUID, of account: AccountID) async throws(StoreError) -> Bool

    /// The operator's token with this digest, unless it has expired.
    func token(digest: Digest) async throws(StoreError) -> Versioned<OperatorToken?>
    /// Adds the token only if none was ever made. True: this one is the first.
    func addFirstToken(_ token: OperatorToken) async throws(StoreError) -> Bool
    func addToken(_ token: OperatorToken) async throws(StoreError)

    /// What changed after a version, oldest first; nil when that is too long ago to tell.
    func changes(after version: ConfigVersion, limit: Int) async throws(StoreError) -> [ConfigChange]?
}

package struct Versioned<Value: Sendable>: Sendable {
    package var value: Value
    package var version: ConfigVersion

    package init(_ value: Value, at version: ConfigVersion) {
        self.value = value
        self.version = version
    }
}

package struct KeyAndAccount: Sendable, Hashable, Codable {
    package var key: APIKey
    package var account: Account

    package init(key: APIKey, account: Account) {
        self.key = key
        self.account = account
    }
}

/// What to change of an account; nil leaves it.
package struct AccountChange: Sendable, Hashable {
    package var enabled: Bool?
    package var passwordHash: String?
    package var quotaBytes: LimitChange
    package var quotaFiles: LimitChange

    package init(
        enabled: Bool? = nil, passwordHash: String? = nil, quotaBytes: LimitChange = .keep,
        quotaFiles: LimitChange = .keep
    ) {
        self.enabled = enabled
        self.passwordHash = passwordHash
        self.quotaBytes = quotaBytes
        self.quotaFiles = quotaFiles
    }
}

/// What becomes of one limit of an account.
package enum LimitChange: Sendable, Hashable {
    case keep
    case unlimited
    /// 0 or more.
    case at(Int64)
}

package enum ChangeAnswer<Value: Sendable>: Sendable {
    case changed(Value)
    case unknown
    /// Somebody changed it meanwhile; it has this revision now.
    case conflict(revision: Int64)
}

/// A secret of an operator; only its SHA-256 is stored.
package struct OperatorToken: Sendable, Hashable, Codable {
    package enum Role: String, Sendable, Codable, CaseIterable {
        case admin, `operator`, auditor
    }
    package var id: UUID
    package var label: String
    package var digest: Digest
    package var role: Role
    package var createdAt: Date
    package var expiresAt: Date?

    package init(id: UUID, label: String, digest: Digest, role: Role, createdAt: Date, expiresAt: Date?) {
        self.id = id
        self.label = label
        self.digest = digest
        self.role = role
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// One step of the configuration's history: from `version` on, what is known of the subject is out of date.
package struct ConfigChange: Sendable, Hashable {
    package var version: ConfigVersion
    /// The cache entries that it makes void.
    package var names: [CacheName]

    package init(version: ConfigVersion, names: [CacheName]) {
        self.version = version
        self.names = names
    }
}
