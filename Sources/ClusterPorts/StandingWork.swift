package import ClusterModel

/// Work that is always there, cut into the 256 shards; a node does it for those that it owns (docs/SHARDS.md).
///
/// Whatever a round writes proves the shard in the same statement, by its title and the live incarnation; a round that
/// is late or runs twice writes nothing that it must not.
package protocol StandingWork: Sendable {
    /// For logs, explanations and metrics; a word in lower case.
    var name: String { get }

    /// One round over all shards that this node acts for, by number; never empty.
    ///
    /// Called again after what it answers, sooner when the shards change or somebody calls. Cancelled when the node
    /// is isolated, or when a shard that it was given is cut. A round should take less than five seconds; what is left goes into
    /// the next one.
    func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound

    /// One element when there may be work before the time that the last round named; only the newest is kept. Nobody may
    /// depend on it.
    func calls() -> AsyncStream<Void>
}

/// What a round asks while it runs.
package protocol ShardDesk: Sendable {
    /// Whether going on with the shard makes sense, judged at this very call; the proof is the statement that writes.
    func holds(_ title: ShardTitle) -> Bool

    /// A statement said that the shard is lost.
    func lost(_ title: ShardTitle)
}

/// What came of a round.
package struct StandingRound: Sendable, Hashable {
    /// Units of work done for each shard; of all kinds of work a unit is about a statement that writes.
    ///
    /// Shards with none need not be named.
    package var done: [ShardNumber: Double]
    /// Until there will be something to do, as far as it knows; bounded by whoever calls to between 50 ms and 60 s.
    package var rest: Duration

    package init(done: [ShardNumber: Double] = [:], rest: Duration) {
        self.done = done
        self.rest = rest
    }
}
