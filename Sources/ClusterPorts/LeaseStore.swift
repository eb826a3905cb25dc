package import ClusterModel

/// Rights as rows: a lease is the right to commit one piece of work, and a row that anybody can read.
///
/// Each call is one autocommit statement (R1). Whatever acts for a node has rule R3 in it: the member's row is
/// locked `FOR KEY SHARE` and must be live. Batches are sorted by subject inside, so that two seldom wait for each
/// other in a circle; where the database still finds one (by order keys and limits), nothing was done, and the call
/// is `refused` with ``LeaseCircle/sqlState``: the same may meet it again, halves of it go through.
///
/// Fails with ``StoreError``. After `mayHaveRun` of ``acquire(_:by:)`` the caller reads the subjects with
/// ``leases(of:)``: a lease of its own incarnation that it does not know is the lost grant. After `mayHaveRun` of
/// ``end(_:by:)`` it reads the same way: what is still there was not ended, what is gone was ended or was not its
/// own any more; whoever must know which puts the end into the statement of the business row.
package protocol LeaseStore: Sendable {
    /// Grants what is free, each request for itself; answers in the order of the requests.
    ///
    /// At most 1,000 requests, each subject once. A subject whose holder is dead is `taken` until it was swept.
    func acquire(_ requests: [LeaseRequest], by right: NodeRight) async throws(StoreError) -> [LeaseAnswer]

    /// Ends leases, by completion or because they are given back; answers in the order of the titles.
    ///
    /// True: the caller had the right until this very statement, and nobody can have it by this epoch again. False:
    /// it lost the right before (swept, forced, fenced). At most 1,000 titles.
    func end(_ titles: [LeaseTitle], by right: NodeRight) async throws(StoreError) -> [Bool]

    /// The leases that exist of these subjects; at most 1,000.
    func leases(of subjects: [LeaseSubject]) async throws(StoreError) -> [LeaseRecord]

    /// One page, oldest epoch first.
    func leases(_ query: LeaseQuery) async throws(StoreError) -> [LeaseRecord]

    /// Takes a lease away from its holder by order of an operator; nil when there is none by this title.
    ///
    /// A living holder is told as ``losses(of:after:)`` says.
    func forceEnd(_ title: LeaseTitle) async throws(StoreError) -> LeaseRecord?

    /// Ends leases of incarnations that are not live, at most `limit` and 1,000; answers which, by epoch.
    ///
    /// Any live node may; two at once share the work.
    func sweepDead(limit: Int, by right: NodeRight) async throws(StoreError) -> [LeaseRecord]

    /// Leases with a deadline, oldest epoch first, beginning after `epoch`; at most `limit`.
    func deadlines(after epoch: Epoch?, limit: Int) async throws(StoreError) -> [LeaseRecord]

    /// What was taken away from this living incarnation after the given number, in the order of the numbers; at
    /// most 1,000.
    ///
    /// A heartbeat's answer has the highest number (``HeartbeatNews/leaseLosses``).
    func losses(of incarnation: Incarnation, after number: Int64) async throws(StoreError) -> [LeaseLoss]

    /// Ends leases that a sweeper has watched for their deadline on its own clock; answers which it ended.
    func sweepOverdue(_ titles: [LeaseTitle], by right: NodeRight) async throws(StoreError) -> [LeaseTitle]
}

/// What to list of the leases; a nil filter lets everything through.
package struct LeaseQuery: Sendable, Hashable {
    package var epoch: Epoch?
    package var kind: LeaseKind?
    package var id: String?
    package var node: NodeName?
    package var incarnation: Incarnation?
    /// By the database's clock.
    package var olderThan: Duration?
    package var youngerThan: Duration?
    /// Epochs are unique and rise, so a page begins after the last epoch of the page before.
    package var after: Epoch?
    package var newestFirst = false
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}

/// Statements that waited for each other: the database ended this one, and nothing of it was done.
package enum LeaseCircle {
    package static let sqlState = "40P01"
}
