package import ClusterModel

/// What one incarnation holds, as far as it knows.
///
/// It stops a node from forgetting; the guarded row is the proof.
package struct LeaseTable: Sendable, Equatable {
    package struct Holding: Sendable, Equatable {
        package var epoch: Epoch
        /// From here on the holder does not rely on it, on its own clock; nil for never.
        ///
        /// Counted from when the request left, so it is never later than what a sweeper sees.
        package var voidAt: ClusterInstant?
        /// The order to end it was given.
        package var isEnding = false
    }

    package private(set) var holdings: [LeaseSubject: Holding] = [:]

    package init() {}

    package var count: Int { self.holdings.count }

    /// Whether a commit by this title makes sense at this moment.
    package func isHeld(_ title: LeaseTitle, at now: ClusterInstant) -> Bool {
        guard let holding = self.holdings[title.subject], holding.epoch == title.epoch else { return false }
        return holding.voidAt.map { now < $0 } ?? true
    }

    /// A later grant replaces an earlier one that was lost without a word.
    mutating func granted(_ title: LeaseTitle, voidAt: ClusterInstant?) {
        self.holdings[title.subject] = Holding(epoch: title.epoch, voidAt: voidAt)
    }

    /// False when it is not held, or its end was ordered before.
    mutating func ending(_ title: LeaseTitle) -> Bool {
        guard let holding = self.holdings[title.subject], holding.epoch == title.epoch, !holding.isEnding
        else { return false }
        self.holdings[title.subject]?.isEnding = true
        return true
    }

    /// Ended or lost; false when it was not held.
    @discardableResult
    mutating func gone(_ title: LeaseTitle) -> Bool {
        guard self.holdings[title.subject]?.epoch == title.epoch else { return false }
        self.holdings[title.subject] = nil
        return true
    }

    mutating func goneAll() -> [LeaseTitle] {
        let titles = self.titles
        self.holdings = [:]
        return titles
    }

    /// By subject.
    package var titles: [LeaseTitle] {
        self.holdings.map { LeaseTitle(subject: $0.key, epoch: $0.value.epoch) }
            .sorted { $0.subject < $1.subject }
    }
}
