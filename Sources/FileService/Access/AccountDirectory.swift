import ClusterModel
import ClusterPorts
import Foundation
import Logging
import Synchronization

/// Looks accounts, keys and tokens up: in the process, then in the shared cache, then in the database.
///
/// ``KnownChanges`` says why nothing here is older than the promise allows. Unknown names are remembered like
/// known ones, in the process only.
final class AccountDirectory: Sendable {
    private struct State {
        var known = KnownChanges()
        var entries = BoundedCache<CacheName, Remembered>(limit: 20_000)
    }

    /// What was found, ready for use, and of which version.
    private struct Remembered: Sendable {
        let version: ConfigVersion
        /// A ``Found``, of the kind of the entry's name.
        let found: any Sendable
    }

    /// An inner nil: there is no such thing.
    private struct Found<Value: Sendable>: Sendable {
        let value: Value?
    }

    private let store: any AccountStore
    private let cache: (any ViewCache)?
    private let standing: any NodeStanding
    private let logger: Logger
    private let state = Mutex(State())
    private let lookups = SingleFlight<CacheName, Versioned<Data>>()
    private let readings = SingleFlight<ConfigVersion, Bool>()

    static let sharedLifetime: Duration = .seconds(600)
    private static let page = 1_000

    init(store: any AccountStore, cache: (any ViewCache)?, standing: any NodeStanding, logger: Logger) {
        self.store = store
        self.cache = cache
        self.standing = standing
        self.logger = logger
    }

    func account(named name: AccountName) async throws(AccessError) -> Account? {
        let entry = CacheName(kind: "account", subject: name.description)
        let fetch = { try await self.store.account(named: name) }
        return try await self.look(up: entry, dependingOn: { _ in [entry] }, fetch: fetch)
    }

    func key(digest: Digest) async throws(AccessError) -> KeyAndAccount? {
        let entry = CacheName(kind: "key", subject: digest.description)
        let dependsOn = { @Sendable (found: KeyAndAccount?) in Self.names(of: found, entry) }
        let fetch = { try await self.store.key(digest: digest) }
        return try await self.look(up: entry, dependingOn: dependsOn, fetch: fetch)
    }

    func token(digest: Digest) async throws(AccessError) -> OperatorToken? {
        let entry = CacheName(kind: "token", subject: digest.description)
        let fetch = { try await self.store.token(digest: digest) }
        return try await self.look(up: entry, dependingOn: { _ in [entry] }, fetch: fetch)
    }

    // MARK: - On the spot

    /// The version of the cluster's accounts and keys that this node has heard of; nil when it lost its cluster.
    var heard: ConfigVersion? { self.standing.standing().configVersion }

    /// An outer nil: it would have to be looked up.
    func readyAccount(named name: AccountName) -> Account?? {
        let entry = CacheName(kind: "account", subject: name.description)
        return self.ready(entry) { _ in [entry] }
    }

    /// An outer nil: it would have to be looked up.
    func readyKey(digest: Digest) -> KeyAndAccount?? {
        let entry = CacheName(kind: "key", subject: digest.description)
        return self.ready(entry) { Self.names(of: $0, entry) }
    }

    private func ready<Value: Sendable>(
        _ name: CacheName, dependingOn names: (Value?) -> [CacheName]
    ) -> Value?? {
        guard let heard = self.standing.standing().configVersion,
            self.state.withLock({ $0.known.heard(heard) }) == .upToDate
        else { return nil }
        return self.remembered(name, names)
    }

    private static func names(of found: KeyAndAccount?, _ entry: CacheName) -> [CacheName] {
        guard let found else { return [entry] }
        return [entry, CacheName(kind: "account", subject: found.account.name.description)]
    }

    // MARK: - One lookup

    private func look<Value: Codable & Sendable>(
        up name: CacheName, dependingOn names: @Sendable (Value?) -> [CacheName],
        fetch: () async throws -> Versioned<Value?>
    ) async throws(AccessError) -> Value? {
        do {
            try await self.catchUp()
            if let value: Value? = self.remembered(name, names) { return value }
            let found = try await self.lookups.value(name) {
                try await self.lookElsewhere(name, names, fetch: fetch)
            }
            return try Self.decode(found.value)
        } catch let error as AccessError {
            throw error
        } catch {
            throw .notServing(reason: "the account cannot be looked up: \(error)", retryAfterSeconds: 1)
        }
    }

    /// An outer nil: not remembered, or not to be believed any more.
    private func remembered<Value: Sendable>(_ name: CacheName, _ names: (Value?) -> [CacheName]) -> Value?? {
        guard let entry = self.state.withLock({ $0.entries.value(name) }),
            let found = entry.found as? Found<Value>,
            self.believes(entry.version, about: names(found.value))
        else { return nil }
        return .some(found.value)
    }

    private func remember<Value: Sendable>(_ value: Value?, at version: ConfigVersion, as name: CacheName) {
        self.state.withLock {
            $0.entries.keep(Remembered(version: version, found: Found(value: value)), for: name)
        }
    }

    private func believes(_ version: ConfigVersion, about names: [CacheName]) -> Bool {
        guard let needed = self.state.withLock({ $0.known.needed(for: names) }) else { return false }
        return version >= needed
    }

    private func lookElsewhere<Value: Codable & Sendable>(
        _ name: CacheName, _ names: @Sendable (Value?) -> [CacheName],
        fetch: () async throws -> Versioned<Value?>
    ) async throws -> Versioned<Data> {
        if let cache = self.cache, let needed = self.state.withLock({ $0.known.needed(for: [name]) }),
            let shared = await cache.entry(name, notBefore: needed)
        {
            let found = Versioned(Data(shared.bytes), at: shared.version)
            // The version is judged here too, and what the entry depends on is known only now.
            if let value: Value? = try? Self.decode(found.value),
                self.believes(shared.version, about: names(value))
            {
                self.remember(value, at: shared.version, as: name)
                return found
            }
        }
        let fetched = try await fetch()
        let found = Versioned(try JSONEncoder().encode(Wrapped(value: fetched.value)), at: fetched.version)
        self.remember(fetched.value, at: fetched.version, as: name)
        if fetched.value != nil {
            let entry = CachedBytes(bytes: Array(found.value), version: found.version)
            await self.cache?.keep(name, entry, for: Self.sharedLifetime)
        }
        return found
    }

    private struct Wrapped<Value: Codable>: Codable {
        var value: Value?
    }

    private static func decode<Value: Codable>(_ data: Data) throws -> Value? {
        try JSONDecoder().decode(Wrapped<Value>.self, from: data).value
    }

    // MARK: - Changes

    /// Reads the changes that the heartbeat says there are, before anything remembered is used.
    private func catchUp() async throws {
        let standing = self.standing.standing()
        guard let heard = standing.configVersion else {
            if case .sick(_, let reason) = standing {
                throw AccessError.notServing(reason: reason, retryAfterSeconds: 5)
            }
            throw AccessError.notServing(reason: "this node has lost its cluster", retryAfterSeconds: 1)
        }
        while true {
            switch self.state.withLock({ $0.known.heard(heard) }) {
            case .upToDate: return
            case .read(let after):
                // All who find the same gap share one reading.
                _ = try await self.readings.value(after) {
                    let changes = try await self.store.changes(after: after, limit: Self.page)
                    self.state.withLock { state in
                        let isComplete = (changes?.count ?? 0) < Self.page
                        state.known.read(changes, heard: heard, isComplete: isComplete)
                    }
                    return true
                }
            }
        }
    }
}
