package import ClusterModel

/// Decides when the rounds of one kind of standing work begin, and remembers which shards the one in flight was given.
package struct StandingCourse: Sendable, Equatable {
    /// Between two rounds, whatever calls.
    package static let pauseMin: Duration = .milliseconds(50)
    /// Without a call.
    package static let pauseMax: Duration = .seconds(60)

    /// Of the round in flight; nil while there is none.
    package private(set) var inFlight: Set<ShardTitle>?
    private var isCalled = true
    private var dueAt: ClusterInstant = .zero
    private var restUntil: ClusterInstant = .zero

    package init() {}

    /// There may be work, or other shards.
    package mutating func call() { self.isCalled = true }

    /// When the next round may begin; nil while one is in flight.
    package var wakeAt: ClusterInstant? {
        guard self.inFlight == nil else { return nil }
        return self.isCalled ? self.restUntil : self.dueAt
    }

    /// Answers whether a round over these begins now.
    package mutating func begin(_ shards: [ShardTitle], at now: ClusterInstant) -> Bool {
        guard let wakeAt = self.wakeAt, now >= wakeAt, !shards.isEmpty else { return false }
        self.isCalled = false
        self.inFlight = Set(shards)
        return true
    }

    /// - Parameter rest: what the round asked for; bounded here.
    package mutating func ended(rest: Duration, at now: ClusterInstant) {
        self.inFlight = nil
        self.restUntil = now.advanced(by: Self.pauseMin)
        self.dueAt = now.advanced(by: min(Self.pauseMax, max(Self.pauseMin, rest)))
    }
}
