package import ClusterModel

/// Forgetting what is old.
///
/// Each call is one autocommit statement that proves the claim (R3).
package protocol RetentionStore: Sendable {
    /// Forgets transfers that ended longer ago than `age`, the oldest first, at most `limit` (1 to 1,000). Answers how
    /// many; nil when the right was lost.
    func forgetTransfers(
        olderThan age: Duration, limit: Int, holding title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Int?

    /// The same for events.
    func forgetEvents(
        olderThan age: Duration, limit: Int, holding title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Int?
}
