package import ClusterModel

package import struct Foundation.Date

/// The use of accounts that have a quota, and what counting a home needs (docs/QUOTAS.md).
///
/// Decisions change the use by themselves (``NameStore/decide(_:costing:of:by:)``). Each call is one autocommit statement.
package protocol QuotaStore: QuotaReading, QuotaCounting {}

package protocol QuotaReading: Sendable {
    /// Nil when the account has no quota.
    ///
    /// - Parameter upload: whose durable bytes are left out of the open ones.
    func quota(of account: AccountID, besides upload: UploadID?) async throws(StoreError) -> AccountQuota?
    /// Of those that have one; 1,000 accounts at most.
    func quotas(of accounts: [AccountID]) async throws(StoreError) -> [AccountID: AccountQuota]
}

package protocol QuotaCounting: Sendable {
    /// Makes a count due. False when the account has no quota. Needs no right: people order it.
    func orderCount(of account: AccountID) async throws(StoreError) -> Bool

    /// Accounts of these shards whose homes are to be counted now, the longest due first.
    func dueCounts(in shards: [ShardNumber], limit: Int) async throws(StoreError) -> [DueCount]

    /// What must be known before the home is walked. Nil when there is nothing to count any more, or when decisions from
    /// before the account was metered are still to be carried out: try again soon.
    func beginCount(of account: AccountID) async throws(StoreError) -> CountMark?

    /// Moves the use into the range that the walk leaves, proven by member and shard.
    func endCount(
        _ found: HomeUse, since mark: CountMark, again: CountRhythm, holding shard: ShardTitle,
        by right: NodeRight
    ) async throws(StoreError) -> CountAnswer
}

/// How an account stands with its quota.
package struct AccountQuota: Sendable, Hashable {
    package var quota: Quota
    package var use: HomeUse
    /// Durable bytes of open resumable uploads, no part of the use.
    package var open: Int64
    /// When the home was counted last; nil before the first time.
    package var countedAt: Date?
    /// Whether the use waits for a count to be right.
    package var isPending: Bool

    package init(quota: Quota, use: HomeUse, open: Int64, countedAt: Date?, isPending: Bool) {
        self.quota = quota
        self.use = use
        self.open = open
        self.countedAt = countedAt
        self.isPending = isPending
    }
}

package struct DueCount: Sendable, Hashable {
    package var account: AccountID
    package var name: AccountName
    package var shard: ShardNumber

    package init(account: AccountID, name: AccountName, shard: ShardNumber) {
        self.account = account
        self.name = name
        self.shard = shard
    }
}

/// Where a count began.
package struct CountMark: Sendable, Hashable {
    package var account: AccountID
    /// Of the counting; another one voids the walk.
    package var number: Int64
    /// The churn so far, less what was decided and not carried out yet.
    package var churn: HomeUse
    package var voids: Int64

    package init(account: AccountID, number: Int64, churn: HomeUse, voids: Int64) {
        self.account = account
        self.number = number
        self.churn = churn
        self.voids = voids
    }
}

/// After how long a home is counted again.
package struct CountRhythm: Sendable, Hashable {
    /// After a count that leaves nothing to be wished.
    package var usual: Duration = .seconds(6 * 3_600)
    /// After one whose range was too wide for a use that waited for it.
    package var soon: Duration = .seconds(10)

    package init() {}
}

package enum CountAnswer: Sendable, Hashable {
    /// The use now, and how wide the range was to either side.
    case counted(use: HomeUse, doubt: HomeUse)
    /// A folder moved meanwhile, or the counting was begun anew: walk again.
    case void
    /// The member is dead, or the shard is another's.
    case fenced
}

/// Counts what lies below a folder.
package protocol HomeTally: Sendable {
    /// Regular files below a folder, links not followed, at most `limit` entries of any kind; nil when there are more.
    /// A folder that is gone holds nothing.
    func tally(
        below folder: HomePath, in account: AccountName, limit: Int
    ) async throws(VaultError) -> HomeUse?
}
