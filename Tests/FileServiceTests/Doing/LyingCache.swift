import ClusterModel
import ClusterPorts
import Synchronization

/// A shared cache that keeps every entry it was ever given, each rightly signed, and answers the oldest one that
/// it may get through with; or an honest one, or one that holds nothing.
final class LyingCache: ViewCache {
    enum Manner: Sendable {
        case honest, replaysOldest, ignoresVersions
    }

    private let manner: Manner
    private let kept = Mutex<[CacheName: [CachedBytes]]>([:])
    private let answers = Mutex(0)

    init(_ manner: Manner) { self.manner = manner }

    var hits: Int { self.answers.withLock { $0 } }

    func entry(_ name: CacheName, notBefore version: ConfigVersion) async -> CachedBytes? {
        let all = self.kept.withLock { $0[name] ?? [] }
        let found: CachedBytes? =
            switch self.manner {
            case .honest: all.last { $0.version >= version }
            // The port promises that too old is a miss; within that it lies as much as it can.
            case .replaysOldest: all.first { $0.version >= version }
            // Even a broken adapter must not matter.
            case .ignoresVersions: all.first
            }
        if found != nil { self.answers.withLock { $0 += 1 } }
        return found
    }

    func keep(_ name: CacheName, _ entry: CachedBytes, for lifetime: Duration) async {
        self.kept.withLock { $0[name, default: []].append(entry) }
    }

    func forget(_ name: CacheName) async {}

    func statistics() -> CacheStatistics {
        CacheStatistics(hits: self.hits, misses: 0, forged: 0, available: true)
    }
}
