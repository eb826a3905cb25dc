package import ClusterPorts

/// Decides what to do about a name that has somebody else's unfinished change.
package enum NameConflict {
    package enum Step: Equatable {
        /// The name may be free by now.
        case tryAgain
        /// A decision: anybody may carry it out, and then the name is free.
        case rollForward(UnfinishedName)
        /// Its holder is about to decide or to give up.
        case wait
    }

    package static func step(_ row: UnfinishedName?) -> Step {
        guard let row else { return .tryAgain }
        return row.change == nil ? .wait : .rollForward(row)
    }
}

/// How long one request waits for others, in pauses that grow and are never equal.
package struct ConflictPatience {
    private let until: ContinuousClock.Instant
    private var pause = Self.firstPause
    private static let firstPause: Duration = .milliseconds(4)
    private static let longestPause: Duration = .milliseconds(100)

    package init(_ longest: Duration, from now: ContinuousClock.Instant) { self.until = now + longest }

    /// Whether there was no pause yet.
    package var isNew: Bool { self.pause == Self.firstPause }

    /// The next pause; nil when it would be too long a wait.
    ///
    /// - Parameter chance: from 0 to 1; two that collide once shall not do so again.
    package mutating func next(at now: ContinuousClock.Instant, chance: Double) -> Duration? {
        guard now < self.until else { return nil }
        let pause = self.pause * (0.5 + chance / 2)
        self.pause = min(self.pause * 2, Self.longestPause)
        return pause
    }
}
