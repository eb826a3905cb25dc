package import ClusterModel
package import ClusterPorts
package import RedisDriver
import Synchronization

/// The shared cache of an enterprise cluster, in Redis.
///
/// Whatever Redis does, the answer is the entry that a node of this cluster wrote, or a miss. While Redis is
/// gone the client's circuit breaker makes misses immediate.
package final class RedisViewCache: ViewCache {
    private let client: RedisClient
    private let seal: EntrySeal
    private let prefix: String
    private let counts = Mutex(Counts())

    private struct Counts {
        var hits = 0
        var misses = 0
        var forged = 0
    }

    /// Larger entries are not kept.
    package static let entryBytesMax = 1 << 20

    /// - Parameter clusterKey: secret bytes that all nodes of the cluster share; at least 16.
    package init(client: RedisClient, cluster: ClusterID, clusterKey: [UInt8]) {
        self.client = client
        self.seal = EntrySeal(clusterKey: clusterKey, cluster: cluster)
        self.prefix = "flotilla:\(cluster):"
    }

    package func entry(_ name: CacheName, notBefore version: ConfigVersion) async -> CachedBytes? {
        let found = try? await self.client.get(self.key(of: name))
        guard let sealed = found ?? nil else { return self.miss() }
        guard let entry = self.seal.open(sealed, as: name) else {
            self.counts.withLock { $0.forged += 1 }
            return nil
        }
        guard entry.version >= version else { return self.miss() }
        self.counts.withLock { $0.hits += 1 }
        return entry
    }

    package func keep(_ name: CacheName, _ entry: CachedBytes, for lifetime: Duration) async {
        guard entry.bytes.count <= Self.entryBytesMax, lifetime > .zero else { return }
        try? await self.client.set(
            self.key(of: name), to: self.seal.seal(entry, as: name), lifetime: lifetime)
    }

    package func forget(_ name: CacheName) async {
        _ = try? await self.client.delete([self.key(of: name)])
    }

    /// Forgets all entries of a kind, or all of this cluster; for operators.
    ///
    /// - Throws: why Redis could not be asked; the operator wants to know.
    package func flush(kind: String? = nil) async throws(RedisError) -> RedisClient.Flushed {
        try await self.client.flush(prefix: kind.map { "\(self.prefix)\($0):" } ?? self.prefix)
    }

    package func statistics() -> CacheStatistics {
        let isAvailable = self.client.refusal == nil
        return self.counts.withLock {
            CacheStatistics(hits: $0.hits, misses: $0.misses, forged: $0.forged, available: isAvailable)
        }
    }

    /// Under which Redis has the entry; other clusters and programs may use the same server.
    package func key(of name: CacheName) -> String { "\(self.prefix)\(name)" }

    private func miss() -> CachedBytes? {
        self.counts.withLock { $0.misses += 1 }
        return nil
    }
}
