package import ClusterModel
package import ClusterPorts
package import Logging

package import struct Foundation.Date

/// Who was let in, as long as no account and no key is changed.
package struct ReadyEntry: Sendable {
    package let account: Account
    /// Heard from the cluster before the account was looked at.
    fileprivate let version: ConfigVersion
    /// Of the key.
    fileprivate let expiresAt: Date?
}

/// Turns credentials into an account: live within a second of a change, with the shared cache up, down or lying.
///
/// A wrong password, an unknown account and a disabled one get the same answer after the same work.
package final class Gatekeeper: Sendable {
    private let directory: AccountDirectory
    private let memory: CredentialMemory
    private let scrypt: ScryptPool
    private let sessions: SessionSeal
    private let checks = SingleFlight<[UInt8], Bool>()

    /// - Parameters:
    ///   - cache: nil where there is none.
    ///   - cacheKey: the cluster's, of 32 bytes.
    package init(
        store: any AccountStore, cache: (any ViewCache)?, standing: any NodeStanding, cacheKey: [UInt8],
        logger: Logger, scrypt: ScryptPool = ScryptPool()
    ) {
        self.directory = AccountDirectory(store: store, cache: cache, standing: standing, logger: logger)
        self.memory = CredentialMemory(cache: cache, cacheKey: cacheKey)
        self.scrypt = scrypt
        self.sessions = SessionSeal(clusterKey: cacheKey)
    }

    /// - Parameter client: the address of whoever asks; one address cannot keep the others waiting.
    package func account(
        name: String, password: String, client: String? = nil
    ) async throws(AccessError) -> Account {
        let password = Array(password.utf8)
        // No longer one was ever set, and it is no secret how long they may be.
        guard password.count <= AccountRules.passwordBytes.upperBound else { throw .denied }
        var account: Account?
        if let name = AccountName(name) { account = try await self.directory.account(named: name) }
        guard let account, let text = account.passwordHash, let hash = PasswordHash(text) else {
            _ = try await self.fits(password, .decoy, client)
            throw .denied
        }
        if await !self.memory.isRight(password, for: account, hash: text) {
            guard try await self.fitsOnce(password, account, text, hash, client) else { throw .denied }
            await self.memory.wasRight(password, for: account, hash: text)
        }
        guard account.enabled else { throw .denied }
        return account
    }

    // MARK: - On the spot

    /// Whom the credentials let in, if everything that it takes is remembered in the process and says yes; never waits.
    package func readyEntry(name: String, password: String) -> ReadyEntry? {
        guard let heard = self.directory.heard, let name = AccountName(name),
            case .some(let account?) = self.directory.readyAccount(named: name),
            account.enabled, let text = account.passwordHash,
            self.memory.isKnownRight(Array(password.utf8), for: account, hash: text)
        else { return nil }
        return ReadyEntry(account: account, version: heard, expiresAt: nil)
    }

    /// The same for a key.
    package func readyEntry(key: String) -> ReadyEntry? {
        guard let heard = self.directory.heard, let digest = Secrets.digest(key, prefix: Secrets.keyPrefix),
            case .some(let found?) = self.directory.readyKey(digest: digest), Self.admits(found)
        else { return nil }
        return ReadyEntry(account: found.account, version: heard, expiresAt: found.key.expiresAt)
    }

    /// The account, if nothing at all was changed since the entry was granted.
    package func readyAccount(_ entry: ReadyEntry) -> Account? {
        guard self.directory.heard == entry.version, !Self.isOver(entry.expiresAt) else { return nil }
        return entry.account
    }

    private static func admits(_ found: KeyAndAccount) -> Bool {
        found.key.enabled && found.account.enabled && !Self.isOver(found.key.expiresAt)
    }

    /// Whether the password that opened the account earlier still would; costs no scrypt.
    package func checkAgain(_ account: Account) async throws(AccessError) {
        let now = try await self.directory.account(named: account.name)
        guard let now, now.id == account.id, now.enabled, now.passwordHash == account.passwordHash else {
            throw .denied
        }
    }

    /// - Parameter key: the secret, `flk_…`.
    package func account(key: String) async throws(AccessError) -> Account {
        guard let digest = Secrets.digest(key, prefix: Secrets.keyPrefix),
            let found = try await self.directory.key(digest: digest), Self.admits(found)
        else { throw .denied }
        return found.account
    }

    // MARK: - Sessions of people

    /// For an account that just showed its password.
    package func beginSession(of account: Account, now: Date = Date()) throws(AccessError) -> Session {
        let end = now.addingTimeInterval(Double(Session.lifetime.components.seconds))
        guard let session = self.sessions.seal(account, until: end) else { throw .denied }
        return session
    }

    /// - Parameter session: what ``beginSession(of:now:)`` gave, on whatever node; ends with the password, and when the
    ///   account is disabled.
    package func account(session text: String, now: Date = Date()) async throws(AccessError) -> Account {
        guard let session = SessionSeal.read(text), now < session.expiresAt,
            let account = try await self.directory.account(named: session.account), account.enabled,
            self.sessions.proves(session, of: account)
        else { throw .denied }
        return account
    }

    /// - Parameter secret: an operator's, `flt_…`.
    package func token(_ secret: String) async throws(AccessError) -> OperatorToken {
        guard let digest = Secrets.digest(secret, prefix: Secrets.tokenPrefix),
            let token = try await self.directory.token(digest: digest), !Self.isOver(token.expiresAt)
        else { throw .denied }
        return token
    }

    private static func isOver(_ expiresAt: Date?) -> Bool { expiresAt.map { $0 <= Date() } ?? false }

    /// Many connections that show the same password at once, as after a restart, cost one scrypt.
    private func fitsOnce(
        _ password: [UInt8], _ account: Account, _ text: String, _ hash: PasswordHash, _ client: String?
    ) async throws(AccessError) -> Bool {
        do {
            return try await self.checks.value(self.memory.mark(password, account, text)) {
                try await self.fits(password, hash, client)
            }
        } catch {
            throw error as? AccessError
                ?? .notServing(reason: "the password could not be checked: \(error)", retryAfterSeconds: 1)
        }
    }

    private func fits(
        _ password: [UInt8], _ hash: PasswordHash, _ client: String?
    ) async throws(AccessError) -> Bool {
        do {
            return try await self.scrypt.fits(password, hash, for: client)
        } catch is ScryptPool.Full {
            throw .tooBusy(retryAfterSeconds: 1)
        } catch {
            throw .notServing(reason: "the password could not be checked: \(error)", retryAfterSeconds: 1)
        }
    }
}
