package import ClusterModel
package import ClusterPorts
package import PostgresDriver

/// The ports of the cluster over one PostgreSQL database.
///
/// Each call is one autocommit statement (rule R1), written out in the file of its subject. Rules that all of
/// them keep, so that nobody waits for somebody who waits for him:
/// members are locked first, then homes and accounts, then names, then transfers, and the cluster's row last; the
/// queue's own order is in ``JobFragments``.
package struct PostgresStore: ClusterStore, DepartureStore, MemberControl, FeedStore, NameStore,
    TransferStore,
    AccountStore
{
    package let pool: PostgresPool
    package let times: MembershipTimes
    let lane: PostgresPoolLane
    package let lost = LostSessions()
    let doorbell: (any Doorbell)?

    /// - Parameters:
    ///   - lane: what membership and claims go by is `claims`, so that no other work can hold it up.
    ///   - doorbell: is rung after statements that made jobs.
    package init(
        pool: PostgresPool, lane: PostgresLane = .ordinary, times: MembershipTimes = MembershipTimes(),
        doorbell: (any Doorbell)? = nil
    ) {
        self.pool = pool
        self.times = times
        self.lane = pool.lane(lane)
        self.doorbell = doorbell
    }

    /// The most items that one statement takes.
    package static let batchLimit = 1_000

    /// - Parameter deadline: the pool's if nil.
    func run(
        _ statement: PostgresStatement, deadline: Duration? = nil
    ) async throws(StoreError) -> PostgresRows {
        do throws(PostgresError) {
            return try await self.lane.query(statement, deadline: deadline)
        } catch {
            throw StoreError(error)
        }
    }

    func one(
        _ statement: PostgresStatement, deadline: Duration? = nil
    ) async throws(StoreError) -> PostgresRow {
        try Self.only(await self.run(statement, deadline: deadline))
    }

    static func only(_ rows: PostgresRows) throws(StoreError) -> PostgresRow {
        guard let row = rows.first, rows.count == 1 else {
            throw .corrupt("\(rows.count) rows came where one was expected")
        }
        return row
    }

    static func check(batch count: Int) throws(StoreError) {
        guard count <= Self.batchLimit else {
            throw .refused(
                sqlState: "54000", message: "\(count) items at once; \(Self.batchLimit) are the most")
        }
    }
}
