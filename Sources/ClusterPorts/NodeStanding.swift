package import ClusterModel

/// What a node knows of itself and of its cluster, without asking the database.
package protocol NodeStanding: Sendable {
    /// Judged against the clock at this very call, so that a woken node never believes what it knew before its sleep.
    func standing() -> Standing

    /// The last published view; nil before the first join.
    func view() -> ClusterView?

    /// One element after each change of view, standing, configuration version, due sweep, lost leases or news of
    /// jobs and shards; only the newest is kept.
    func changes() -> AsyncStream<Void>

    /// Whether the last heartbeat's answer said that somebody departed and is not cleared.
    func sweepDue() -> Bool

    /// How many leases were taken away from the living incarnation, as the last heartbeat's answer said.
    func leaseLosses() -> Int64

    /// Percent of its capacity that the node offers, by what it noticed of its own health.
    func capacityShare() -> Int

    /// Another number than before means that jobs became ready, as the last heartbeat's answer said.
    func jobNews() -> Int64

    /// Another number than before means that a shard was assigned or given up, as the last heartbeat's answer said.
    func shardNews() -> Int64
}

extension NodeStanding {
    package func leaseLosses() -> Int64 { 0 }
    package func capacityShare() -> Int { 100 }
    package func jobNews() -> Int64 { 0 }
    package func shardNews() -> Int64 { 0 }
}

/// Counts what a node has in hand; its numbers go out with the heartbeats.
package protocol LoadMeter: Sendable {
    func sample() -> LoadSample
}

/// Counts also how quickly a node answers, and how much it would take on.
package protocol IngressMeter: LoadMeter {
    /// Requests that make the node full.
    var capacity: Int { get }

    /// What was answered since the node was started.
    func quickAnswers() -> QuickAnswers
}

/// Requests with nothing to receive that were answered, and their times in sum; both only grow.
package struct QuickAnswers: Sendable, Hashable {
    package var count: Int64
    package var nanoseconds: Int64

    package init(count: Int64, nanoseconds: Int64) {
        self.count = count
        self.nanoseconds = nanoseconds
    }
}
