package import ClusterModel

/// Decides when the leader looks at the hot tables again: each second while rows go through them, seldom while a backlog
/// stands still, and not at all while there is none and nothing comes.
///
/// News of jobs alone would not do: a backlog that drains makes none, and leaves two dead rows for each job.
package struct RenewalPace: Sendable, Equatable {
    /// A backlog that nobody takes: it may begin to move without any news.
    package static let standingEvery: Duration = .seconds(10)

    private var news: Int64?
    private var deletions: Int64?
    private var isMoving = false
    private var hasBacklog = false
    private var lookedAt: ClusterInstant = .zero

    package init() {}

    /// Asked each second.
    package func isDue(news: Int64, at now: ClusterInstant) -> Bool {
        if news != self.news || self.isMoving { return true }
        return self.hasBacklog && now >= self.lookedAt.advanced(by: Self.standingEvery)
    }

    /// - Parameters:
    ///   - news: as it was heard before the look.
    ///   - deletions: rows that ever were deleted; another number than before means that they are moving.
    ///   - hasBacklog: something is ready.
    package mutating func looked(
        news: Int64, deletions: Int64, hasBacklog: Bool, at now: ClusterInstant
    ) {
        // News are of what is to be deleted soon: the look after the last of them is owed.
        self.isMoving = news != self.news || deletions != self.deletions
        self.news = news
        self.deletions = deletions
        self.hasBacklog = hasBacklog
        self.lookedAt = now
    }
}
