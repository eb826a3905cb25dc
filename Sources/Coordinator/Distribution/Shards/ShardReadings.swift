package import ClusterModel

/// Decides when a node reads the rows of its shards: after news, each second while something is on its way, seldom
/// otherwise.
///
/// News come with the heartbeats, so an idle node needs no statement to hear that it should have another shard.
package struct ShardReadings: Sendable, Equatable {
    private let rules: ShardRules
    private var isWanted = true
    private var dueAt: ClusterInstant = .zero

    package init(rules: ShardRules = .standard) { self.rules = rules }

    /// Something may have changed.
    package mutating func want() { self.isWanted = true }

    package func isDue(at now: ClusterInstant) -> Bool { self.isWanted || now >= self.dueAt }

    /// News that come from now on ask for another one.
    package mutating func began(at now: ClusterInstant) {
        self.isWanted = false
        self.dueAt = now.advanced(by: self.rules.restlessRead)
    }

    /// - Parameter isSettled: The node has what it should have, and nothing else, and its books say so.
    package mutating func read(isSettled: Bool, at now: ClusterInstant) {
        self.dueAt = now.advanced(by: isSettled ? self.rules.quietRead : self.rules.restlessRead)
    }

    /// A statement about shards failed, or was refused: looks again soon.
    package mutating func doubted(at now: ClusterInstant) {
        self.dueAt = min(self.dueAt, now.advanced(by: self.rules.restlessRead))
    }
}
