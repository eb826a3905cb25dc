import ClusterModel
import ClusterPorts
import Synchronization

/// What listings of large folders found, kept for their next pages: reading a million names for each page would
/// take longer than all the rest.
///
/// A scan belongs to one walk, and was made after that began, so it has all that was there all the time. It goes only
/// forward: whoever asks for the same page again, or for what follows the last name, gets a fresh one.
final class KeptScans: Sendable {
    struct Key: Hashable {
        var walk: ListingWalk
        var account: AccountName
        var path: HomePath
    }

    struct Scan {
        var names: NameTable
        /// The folder that was read; another one may have its name by now.
        var folder: FileIdentity
        var madeAt: ContinuousClock.Instant
        /// The last name that was given out.
        var reached: [UInt8]
    }

    /// How many names one scan keeps.
    static let names = 65_536
    /// Eight of them, with the names' bytes, are 40 MiB at most.
    private static let most = 8
    private static let longest: Duration = .seconds(60)

    private let kept = Mutex<[Key: Scan]>([:])

    /// Takes a scan that tells what follows the name; nil when there is none.
    func take(_ key: Key, after name: [UInt8], in folder: FileIdentity) -> Scan? {
        guard let scan = self.kept.withLock({ $0.removeValue(forKey: key) }),
            scan.folder == folder, .now - scan.madeAt < Self.longest,
            !name.lexicographicallyPrecedes(scan.reached),
            scan.names.index(after: name) < scan.names.count
        else { return nil }
        return scan
    }

    func keep(_ scan: Scan, for key: Key) {
        self.kept.withLock { kept in
            kept[key] = scan
            while kept.count > Self.most, let oldest = kept.min(by: { $0.value.madeAt < $1.value.madeAt }) {
                kept[oldest.key] = nil
            }
        }
    }

    func dropOld() {
        self.kept.withLock { kept in
            guard !kept.isEmpty else { return }
            let now = ContinuousClock.now
            kept = kept.filter { now - $0.value.madeAt < Self.longest }
        }
    }
}
