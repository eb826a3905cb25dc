package import ClusterModel

/// Rows of the 256 shards (docs/SHARDS.md): who should have each, and who has it.
///
/// Each call is one autocommit statement (R1); what acts for a node has rule R3 in it. Fails with ``StoreError``. After
/// `mayHaveRun` the caller reads the rows: they say what was done. A batch names each shard once. What somebody else has to
/// hear of (an assignment, a release, a pin) changes ``HeartbeatNews/shardNews``.
package protocol ShardStore: Sendable {
    /// All of them, by number.
    func shards() async throws(StoreError) -> [ShardRecord]

    /// Those that this incarnation should have or has, and those named; by number.
    func shards(of incarnation: Incarnation, and numbers: [ShardNumber]) async throws(StoreError)
        -> [ShardRecord]

    /// Says who should have shards; answers which it was done for.
    ///
    /// Only where the row still says ``ShardMove/from``, the new one lives, and this leader has its term.
    func assign(_ moves: [ShardMove], by leader: LeaderRight) async throws(StoreError) -> [ShardNumber]

    /// Takes shards; answers those that were granted, all by one new epoch.
    ///
    /// Only where this incarnation should have the shard, nobody has taken it since the row was read, and nobody else
    /// who lives owns it.
    func take(_ shards: [ShardTaking], by right: NodeRight) async throws(StoreError) -> [ShardTitle]

    /// Gives shards up; answers those that it had until this very statement.
    func release(_ titles: [ShardTitle], by right: NodeRight) async throws(StoreError) -> [ShardTitle]

    /// Notes smoothed loads; answers the titles by which it still owns them. The others are lost.
    func report(_ loads: [ShardLoadReport], by right: NodeRight) async throws(StoreError) -> [ShardTitle]

    /// Wants a shard on a node, or nil: wherever it is best; by order of an operator. The next round obeys.
    func pin(_ number: ShardNumber, to node: NodeName?) async throws(StoreError)

    /// Says once who should have a shard, by order of an operator; the balancer may say otherwise later.
    ///
    /// Only where the target is active and the shard is pinned to no other node. Answers whether it should have it now.
    func move(_ number: ShardNumber, to target: Incarnation, reason: String) async throws(StoreError) -> Bool
}

/// Tells people why a shard is where it is.
package protocol ShardExplainer: Sendable {
    func because(_ shard: ShardRecord) -> [String]
}

/// A shard to be taken, as it was when its row was read.
package struct ShardTaking: Hashable, Sendable {
    package var number: ShardNumber
    /// ``ShardRecord/epoch``.
    package var after: Epoch?

    package init(number: ShardNumber, after epoch: Epoch?) {
        self.number = number
        self.after = epoch
    }
}

/// What the owner of a shard measured.
package struct ShardLoadReport: Hashable, Sendable {
    package var title: ShardTitle
    /// Work a second, smoothed.
    package var load: Double

    package init(title: ShardTitle, load: Double) {
        self.title = title
        self.load = load
    }
}
