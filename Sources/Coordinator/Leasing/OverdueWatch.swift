package import ClusterModel

/// Decides which leases are overdue: those that were watched for their deadline on the own clock.
///
/// A lease is known by its epoch, which never comes back: whoever sees it now and saw it then knows that it was held
/// all the time, so gaps between two looks do no harm. The database's clock is not asked: when it is stepped,
/// a living holder keeps its lease. Looks go through the leases page by page, oldest epoch first.
package struct OverdueWatch: Sendable, Equatable {
    /// Of one page.
    package static let pageLimit = 1_000
    /// Leases that are watched at most; the rest waits until some of these are gone.
    package static let watchedMax = 200_000

    private struct Watched: Sendable, Equatable {
        var since: ClusterInstant
        /// Seen in this round.
        var round: Int
    }

    private var watched: [Epoch: Watched] = [:]
    private var round = 0
    /// Where the next page begins; nil for the start of a round.
    package private(set) var after: Epoch?

    package init() {}

    package var count: Int { self.watched.count }

    /// A page of leases with deadlines was read, beginning after ``after``.
    ///
    /// Answers those that are overdue.
    package mutating func looked(at page: [LeaseRecord], now: ClusterInstant) -> [LeaseTitle] {
        var overdue: [LeaseTitle] = []
        for record in page {
            guard let deadline = record.deadline else { continue }
            let epoch = record.title.epoch
            guard let known = self.watched[epoch] else {
                if self.watched.count < Self.watchedMax {
                    self.watched[epoch] = Watched(since: now, round: self.round)
                }
                continue
            }
            self.watched[epoch]?.round = self.round
            if now.since(known.since) >= deadline { overdue.append(record.title) }
        }
        self.after = page.count < Self.pageLimit ? nil : page.last?.title.epoch
        if self.after == nil { self.endRound() }
        return overdue
    }

    /// Who was not seen in a whole round is gone.
    private mutating func endRound() {
        self.watched = self.watched.filter { $0.value.round == self.round }
        self.round += 1
    }
}
