package import ClusterModel

/// Clearing what the dead left, by the owner of the shard that a departure belongs to (``ShardNumber/init(of:)``).
///
/// Each call is one autocommit statement that proves the shard and the live incarnation (R3). Clearing is safe for two at
/// once; the shard is what spares them the work. Fails with ``StoreError``.
package protocol DepartureStore: Sendable {
    /// Notes who clears it.
    func claimDeparture(
        of departed: Incarnation, by right: NodeRight, holding title: ShardTitle
    ) async throws(StoreError) -> DepartureClaim

    /// Closes it if nothing in the database belongs to the departed any more; answers whether it is closed.
    func closeDeparture(
        of departed: Incarnation, by right: NodeRight, holding title: ShardTitle
    ) async throws(StoreError) -> Bool
}

/// What came of claiming a departure.
package enum DepartureClaim: Hashable, Sendable {
    case claimed
    /// Nothing of it is left, or nobody departed.
    case cleared
    /// The shard is not the asker's, or he is dead.
    case lost
}
