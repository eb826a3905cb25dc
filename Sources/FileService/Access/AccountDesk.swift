package import ClusterModel
package import ClusterPorts

package import struct Foundation.Date
package import struct Foundation.UUID

/// What administrators do with accounts, keys and tokens.
package struct AccountDesk: Sendable {
    private let store: any AccountStore
    private let vault: any FileVault
    private let standing: any NodeStanding
    private let scrypt: ScryptPool
    let quotas: any QuotaStore

    package init(
        store: any AccountStore & QuotaStore, vault: any FileVault, standing: any NodeStanding,
        scrypt: ScryptPool = ScryptPool()
    ) {
        self.quotas = store
        self.store = store
        self.vault = vault
        self.standing = standing
        self.scrypt = scrypt
    }

    // MARK: - Accounts

    /// Makes the home, then the account.
    ///
    /// A crash in between leaves an empty home, which the next call for that name takes over; so does the loser of two
    /// calls at once, who then gets ``AccountDeskError/taken(_:)``. A home with something in it is taken over only if
    /// that is asked for.
    ///
    /// - Parameters:
    ///   - password: nil when only keys shall open the account.
    ///   - quota: nil for as much as the mount holds.
    package func create(
        name: String, password: String?, adopting: Bool, quota: Quota? = nil
    ) async throws(AccountDeskError) -> Account {
        try self.checkStanding()
        let name = try AccountRules.name(name)
        let hash = try await self.hash(password)
        let known = try await self.asking { () async throws(StoreError) in
            try await self.store.account(named: name)
        }
        guard known.value == nil else { throw .taken(name) }
        try await self.makeHome(of: name, adopting: adopting)
        let now = Date()
        let account = Account(
            id: AccountID(.next()), name: name, enabled: true, passwordHash: hash, createdAt: now,
            changedAt: now,
            revision: 1, quota: quota)
        let made = try await self.asking { () async throws(StoreError) in try await self.store.create(account)
        }
        guard let made else { throw .taken(name) }
        return made
    }

    private func makeHome(of name: AccountName, adopting: Bool) async throws(AccountDeskError) {
        do throws(VaultError) {
            do throws(VaultError) {
                try await self.vault.makeHome(of: name, adopting: adopting)
            } catch {
                guard case .exists = error,
                    try await self.vault.list(.home, in: name, after: nil, limit: 1).isEmpty
                else { throw error }
                try await self.vault.makeHome(of: name, adopting: true)
            }
        } catch {
            if case .exists = error { throw .homeExists(name) }
            throw .notServing(error.description)
        }
    }

    /// Nil leaves a thing as it is.
    ///
    /// The old password, and everything else, ends within a second on every node.
    package func change(
        name: String, enabled: Bool?, password: String?, quotaBytes: LimitChange = .keep,
        quotaFiles: LimitChange = .keep, ifRevision revision: Int64?
    ) async throws(AccountDeskError) -> Account {
        try self.checkStanding()
        let known = try Self.known(name)
        let change = AccountChange(
            enabled: enabled, passwordHash: try await self.hash(password), quotaBytes: quotaBytes,
            quotaFiles: quotaFiles)
        let answer = try await self.asking { () async throws(StoreError) in
            try await self.store.change(known, change, ifRevision: revision)
        }
        switch answer {
        case .changed(let account): return account
        case .unknown: throw .unknown(name)
        case .conflict(let revision): throw .conflict(revision: revision)
        }
    }

    package func account(named name: String) async throws(AccountDeskError) -> Account {
        let known = try Self.known(name)
        let found = try await self.asking { () async throws(StoreError) in
            try await self.store.account(named: known)
        }
        guard let account = found.value else { throw .unknown(name) }
        return account
    }

    /// By name; `limit` is 1 to 1,000.
    package func accounts(
        after: AccountName?, enabled: Bool?, limit: Int
    ) async throws(AccountDeskError) -> [Account] {
        try await self.asking { () async throws(StoreError) in
            try await self.store.accounts(after: after, enabled: enabled, limit: min(max(limit, 1), 1_000))
        }
    }

    // MARK: - Keys

    /// Answers the key and its secret, `flk_…`, which nobody can read again.
    package func createKey(
        account name: String, label: String, expiresAt: Date?
    ) async throws(AccountDeskError) -> (key: APIKey, secret: String) {
        try self.checkStanding()
        let now = Date()
        let label = try AccountRules.label(label)
        try AccountRules.expiry(expiresAt, now: now)
        let account = try await self.account(named: name)
        let (secret, digest) = try Self.secret(Secrets.keyPrefix)
        let key = APIKey(
            id: .next(), account: account.id, label: label, digest: digest, createdAt: now,
            expiresAt: expiresAt,
            enabled: true)
        try await self.asking { () async throws(StoreError) in try await self.store.addKey(key) }
        return (key, secret)
    }

    package func keys(account name: String) async throws(AccountDeskError) -> [APIKey] {
        let account = try await self.account(named: name)
        return try await self.asking { () async throws(StoreError) in
            try await self.store.keys(of: account.id)
        }
    }

    package func revokeKey(account name: String, id: UUID) async throws(AccountDeskError) {
        try self.checkStanding()
        let account = try await self.account(named: name)
        let revoked = try await self.asking { () async throws(StoreError) in
            try await self.store.revokeKey(id, of: account.id)
        }
        guard revoked else { throw .unknown(id.uuidString.lowercased()) }
    }

    // MARK: - Operators' tokens

    /// Answers the token and its secret, `flt_…`, which nobody can read again.
    package func issueToken(
        label: String, role: OperatorToken.Role, expiresAt: Date?
    ) async throws(AccountDeskError) -> (token: OperatorToken, secret: String) {
        let label = try AccountRules.label(label)
        try AccountRules.expiry(expiresAt, now: Date())
        let (token, secret) = try Self.token(label: label, role: role, expiresAt: expiresAt)
        try await self.asking { () async throws(StoreError) in try await self.store.addToken(token) }
        return (token, secret)
    }

    /// The secret of the very first token, an administrator's; nil when one was made before, on whatever node.
    package func firstToken() async throws(AccountDeskError) -> String? {
        let (token, secret) = try Self.token(label: "first administrator", role: .admin, expiresAt: nil)
        let isFirst = try await self.asking { () async throws(StoreError) in
            try await self.store.addFirstToken(token)
        }
        return isFirst ? secret : nil
    }

    private static func token(
        label: String, role: OperatorToken.Role, expiresAt: Date?
    ) throws(AccountDeskError) -> (OperatorToken, String) {
        let (secret, digest) = try Self.secret(Secrets.tokenPrefix)
        let token = OperatorToken(
            id: .next(), label: label, digest: digest, role: role, createdAt: Date(), expiresAt: expiresAt)
        return (token, secret)
    }

    // MARK: - Pieces

    private static func secret(_ prefix: String) throws(AccountDeskError) -> (String, Digest) {
        let secret = Secrets.make(prefix)
        guard let digest = Secrets.digest(secret, prefix: prefix) else {
            throw .notServing("no secret could be made")
        }
        return (secret, digest)
    }

    /// A text that is no name is the name of no account.
    private static func known(_ name: String) throws(AccountDeskError) -> AccountName {
        guard let known = AccountName(name) else { throw .unknown(name) }
        return known
    }

    private func hash(_ password: String?) async throws(AccountDeskError) -> String? {
        guard let password else { return nil }
        let bytes = try AccountRules.password(password)
        do {
            return try await self.scrypt.hash(bytes).text
        } catch {
            throw .notServing("too many passwords wait to be hashed")
        }
    }

    func checkStanding() throws(AccountDeskError) {
        guard self.standing.standing().configVersion != nil else {
            throw .notServing("this node has lost its cluster")
        }
    }

    func asking<Value>(
        _ call: () async throws(StoreError) -> Value
    ) async throws(AccountDeskError) -> Value {
        do { return try await call() } catch {
            if case .refused(_, let message) = error { throw .invalid(field: "account", reason: message) }
            throw .notServing(error.description)
        }
    }
}
