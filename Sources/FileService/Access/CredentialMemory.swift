import ClusterModel
import ClusterPorts
import Crypto
import Synchronization

/// Remembers which passwords were found right, so that the next request needs no scrypt.
///
/// What is remembered is a MAC over account, stored hash and password: a new password has a new hash, so an old one fits
/// nothing any more, at whatever time. That such a MAC was once found right stays true for ever; hence entries of
/// the shared cache need no version. Wrong passwords are never remembered. In the process the key is the process's own; in the
/// shared cache it is derived from the cluster's, which the cache does not know.
struct CredentialMemory: Sendable {
    private final class Process: Sendable {
        let right = Mutex(BoundedCache<[UInt8], Bool>(limit: 10_000))
        let key = SymmetricKey(size: .bits256)
    }

    private let process = Process()
    private let cache: (any ViewCache)?
    private let sharedKey: SymmetricKey

    init(cache: (any ViewCache)?, cacheKey: [UInt8]) {
        self.cache = cache
        let secret = SymmetricKey(data: cacheKey)
        self.sharedKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: secret, info: Array("flotilla credential".utf8), outputByteCount: 32)
    }

    /// As far as the process remembers.
    func isKnownRight(_ password: [UInt8], for account: Account, hash: String) -> Bool {
        let own = self.mark(password, account, hash)
        return self.process.right.withLock { $0.value(own) } != nil
    }

    func isRight(_ password: [UInt8], for account: Account, hash: String) async -> Bool {
        if self.isKnownRight(password, for: account, hash: hash) { return true }
        guard let cache = self.cache else { return false }
        let name = self.name(password, account, hash)
        guard let shared = await cache.entry(name, notBefore: ConfigVersion(0)),
            ConstantTime.equal(shared.bytes, Array(name.subject.utf8))
        else { return false }
        self.keep(self.mark(password, account, hash))
        return true
    }

    /// Stands for the three in the process, and nowhere else.
    func mark(_ password: [UInt8], _ account: Account, _ hash: String) -> [UInt8] {
        Self.mac(password, account, hash, key: self.process.key)
    }

    func wasRight(_ password: [UInt8], for account: Account, hash: String) async {
        self.keep(self.mark(password, account, hash))
        let name = self.name(password, account, hash)
        let entry = CachedBytes(bytes: Array(name.subject.utf8), version: ConfigVersion(0))
        await self.cache?.keep(name, entry, for: AccountDirectory.sharedLifetime)
    }

    private func keep(_ mark: [UInt8]) { self.process.right.withLock { $0.keep(true, for: mark) } }

    private func name(_ password: [UInt8], _ account: Account, _ hash: String) -> CacheName {
        CacheName(kind: "credential", subject: Self.mac(password, account, hash, key: self.sharedKey).hex)
    }

    private static func mac(_ password: [UInt8], _ account: Account, _ hash: String, key: SymmetricKey)
        -> [UInt8]
    {
        // The account's id and the hash hold no NUL, so the parts cannot be mistaken for others.
        let text = Array(account.id.description.utf8) + [0] + Array(hash.utf8) + [0] + password
        return Array(HMAC<SHA256>.authenticationCode(for: text, using: key))
    }
}
