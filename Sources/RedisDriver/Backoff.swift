/// Says how long to wait before the next attempt to connect: doubling, capped, and spread by chance.
package struct Backoff: Sendable, Equatable {
    package var shortest: Duration
    package var longest: Duration
    private var attempts = 0

    package init(shortest: Duration = .milliseconds(20), longest: Duration = .seconds(1)) {
        self.shortest = shortest
        self.longest = longest
    }

    /// The next wait, between a half and the whole of the doubled time.
    ///
    /// - Parameter chance: from 0 to 1; the caller throws the dice, so that this stays a function of its
    ///   inputs.
    package mutating func next(chance: Double) -> Duration {
        let doubled = self.shortest * (1 << self.attempts)
        if doubled < self.longest { self.attempts += 1 }
        return min(doubled, self.longest) * (0.5 + 0.5 * chance)
    }

    /// The connection was good: the next wait is the shortest again.
    package mutating func reset() {
        self.attempts = 0
    }
}
