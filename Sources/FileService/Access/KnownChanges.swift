package import ClusterModel
package import ClusterPorts

/// Judges from which version on a cached entry may be believed.
///
/// The promise is that a disabled account or a changed password holds everywhere within a second. It rests on this:
///
/// 1. The heartbeat says the database's configuration version, and an answer older than a second is not used:
///    a node whose heartbeat is late serves nobody.
/// 2. Before an entry is used, the node has read every change up to that version: `processed`.
/// 3. An entry carries the version at which the database was read, in the same snapshot. Thus it is right as of
///    `processed` if no change of its name lies between its own version and `processed`. The node can say so only of
///    changes that it has seen: those after `baseline`, the version at which it began (or forgot everything).
///
/// So an entry is believed if its version is at least ``needed(for:)``: the last change of its name, and never less than
/// the baseline. A shared cache that replays older entries, however well signed, replays versions below that: a
/// miss. One that replays the newest entry of a name replays the truth.
package struct KnownChanges: Sendable {
    /// Every change after it and up to `processed` is known.
    private(set) var baseline: ConfigVersion?
    private(set) var processed: ConfigVersion?
    private var lastChange: [CacheName: ConfigVersion] = [:]
    private let limit: Int

    package init(limit: Int = 20_000) { self.limit = limit }

    package enum OnHeard: Equatable {
        case upToDate
        /// Read the changes after this version.
        case read(after: ConfigVersion)
    }

    /// The heartbeat said a version.
    package mutating func heard(_ version: ConfigVersion) -> OnHeard {
        guard let processed = self.processed else {
            self.forgetAll(at: version)
            return .upToDate
        }
        return processed < version ? .read(after: processed) : .upToDate
    }

    /// Changes were read after `processed`; nil when the history does not reach back that far.
    ///
    /// - Parameter heard: what the heartbeat said before the changes were read; an incomplete page gets no further
    ///   than its last change.
    package mutating func read(_ changes: [ConfigChange]?, heard: ConfigVersion, isComplete: Bool) {
        guard let changes else { return self.forgetAll(at: max(heard, self.processed ?? heard)) }
        var newest = isComplete ? heard : (self.processed ?? heard)
        for change in changes {
            newest = max(newest, change.version)
            if change.names.contains(where: { $0.kind == "*" || $0.subject == "*" }) {
                self.forgetAll(at: change.version)
            }
            for name in change.names {
                self.lastChange[name] = max(self.lastChange[name] ?? change.version, change.version)
            }
        }
        self.processed = max(self.processed ?? newest, newest)
        if self.lastChange.count > self.limit, let processed = self.processed {
            self.forgetAll(at: processed)
        }
    }

    /// Nil before the first heartbeat was heard: nothing is believed then.
    package func needed(for names: [CacheName]) -> ConfigVersion? {
        guard let baseline = self.baseline else { return nil }
        return names.reduce(baseline) { max($0, self.lastChange[$1] ?? baseline) }
    }

    private mutating func forgetAll(at version: ConfigVersion) {
        self.baseline = max(self.baseline ?? version, version)
        self.processed = max(self.processed ?? version, version)
        self.lastChange = [:]
    }
}
