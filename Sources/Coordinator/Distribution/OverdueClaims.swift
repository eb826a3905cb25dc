package import ClusterModel

/// Decides which claims are overdue: those that were watched for their deadline on the own clock.
///
/// As ``OverdueWatch`` does for leases: whoever sees a title now and saw it then knows that it was held all the time, so
/// the database's clock is not asked, and gaps between two looks do no harm.
package struct OverdueClaims: Sendable, Equatable {
    /// Of one page.
    package static let pageLimit = 1_000
    /// Claims that are watched at most; the rest waits until some of these are gone.
    package static let watchedMax = 200_000

    private struct Watched: Sendable, Equatable {
        var since: ClusterInstant
        /// Seen in this round.
        var round: Int
    }

    private var watched: [JobTitle: Watched] = [:]
    private var round = 0
    /// Where the next page begins; nil for the start of a round.
    package private(set) var after: JobTitle?

    package init() {}

    package var count: Int { self.watched.count }

    /// A page was read, beginning after ``after``.
    ///
    /// Answers those that are overdue.
    package mutating func looked(at page: [OverdueClaim], now: ClusterInstant) -> [JobTitle] {
        var overdue: [JobTitle] = []
        for claim in page {
            guard let known = self.watched[claim.title] else {
                if self.watched.count < Self.watchedMax {
                    self.watched[claim.title] = Watched(since: now, round: self.round)
                }
                continue
            }
            self.watched[claim.title]?.round = self.round
            if now.since(known.since) >= claim.deadline { overdue.append(claim.title) }
        }
        self.after = page.count < Self.pageLimit ? nil : page.last?.title
        if self.after == nil { self.endRound() }
        return overdue
    }

    /// Who was not seen in a whole round is gone.
    private mutating func endRound() {
        self.watched = self.watched.filter { $0.value.round == self.round }
        self.round += 1
    }
}

/// A claim with a deadline.
package struct OverdueClaim: Sendable, Hashable {
    package var title: JobTitle
    package var deadline: Duration

    package init(title: JobTitle, deadline: Duration) {
        self.title = title
        self.deadline = deadline
    }
}
