package import ClusterModel

/// A cache shared by the nodes that holds nothing which matters: hints only.
///
/// No call throws or takes longer than its budget. An entry counts only if its signature under the cluster's
/// key fits its name, version and bytes; anything else is a miss. So a cache that is gone, flushed, slow or
/// lying makes nodes slower and never wrong.
package protocol ViewCache: Sendable {
    /// The entry, if it was read from the database at `version` or later.
    func entry(_ name: CacheName, notBefore version: ConfigVersion) async -> CachedBytes?

    /// Remembers what was read at a version, for at most the lifetime. May silently fail.
    func keep(_ name: CacheName, _ entry: CachedBytes, for lifetime: Duration) async

    func forget(_ name: CacheName) async

    func statistics() -> CacheStatistics
}

/// Names an entry: a kind and what it is about, for example `account` and `alice`.
package struct CacheName: Sendable, Hashable, CustomStringConvertible {
    package var kind: String
    package var subject: String

    package init(kind: String, subject: String) {
        self.kind = kind
        self.subject = subject
    }

    package var description: String { "\(self.kind):\(self.subject)" }
}

package struct CachedBytes: Sendable, Hashable {
    package var bytes: [UInt8]
    /// The configuration version that the database had when the bytes were read, in the same snapshot.
    package var version: ConfigVersion

    package init(bytes: [UInt8], version: ConfigVersion) {
        self.bytes = bytes
        self.version = version
    }
}

package struct CacheStatistics: Sendable, Hashable, Codable {
    package var hits: Int
    /// Not there, too old, or the cache did not answer.
    package var misses: Int
    /// There, but not signed by this cluster.
    package var forged: Int
    package var available: Bool

    package init(hits: Int, misses: Int, forged: Int, available: Bool) {
        self.hits = hits
        self.misses = misses
        self.forged = forged
        self.available = available
    }
}
