package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Clearing what the dead left, by the owner of the shard.
///
/// A member that is dead stays dead, so what is asked about the departed needs no lock.
extension PostgresStore {
    package func claimDeparture(
        of departed: Incarnation, by right: NodeRight, holding title: ShardTitle
    ) async throws(StoreError) -> DepartureClaim {
        // Programs that know no shards are kept away by the claim while its holder lives.
        let row = try await self.one(
            """
            with \(Fragments.me(right)), \(ShardFragments.owned(title)), claimed as (
                update flotilla.departed d
                set swept_by = \(right.incarnation.rawValue),
                    claimed_at = case when d.swept_by = \(right.incarnation.rawValue) then d.claimed_at
                                      else clock_timestamp() end
                where d.incarnation = \(departed.rawValue) and d.swept_at is null and exists (select from shard)
                returning 1
            )
            select exists (select from shard), exists (select from claimed)
            """)
        let (isOwned, isClaimed) = try row.reading(Bool.self, Bool.self)
        guard isOwned else { return .lost }
        return isClaimed ? .claimed : .cleared
    }

    package func closeDeparture(
        of departed: Incarnation, by right: NodeRight, holding title: ShardTitle
    ) async throws(StoreError) -> Bool {
        let row = try await self.one(
            """
            with \(Fragments.me(right)), \(ShardFragments.owned(title)), closed as (
                update flotilla.departed d set swept_at = clock_timestamp()
                where d.incarnation = \(departed.rawValue) and exists (select from shard)
                  and \(Self.nothingIsLeft(of: departed))
                returning 1
            )
            select exists (select from closed)
            """)
        return try row.reading(Bool.self)
    }
}
