import ClusterModel

/// Judges one kind of measurement, with hysteresis: it gets worse after a few in a row, and good only after a calm
/// time without one.
struct Gauge: Sendable, Equatable {
    enum Grade: Int, Sendable, Comparable {
        case good, slow, bad
        static func < (left: Grade, right: Grade) -> Bool { left.rawValue < right.rawValue }
    }

    private(set) var grade: Grade = .good
    /// Measurements in a row that were at least slow, and at least bad.
    private var slows = 0
    private var bads = 0
    /// When the last one came that was at least slow, and at least bad.
    private var slowAt = ClusterInstant.zero
    private var badAt = ClusterInstant.zero
    private let slow: Int64
    private let bad: Int64
    private let rising: Int
    private let calm: Int64

    init(_ bounds: HealthTimes.Bounds, rising: Int, calm: Duration) {
        self.slow = bounds.slow.wholeNanoseconds
        self.bad = bounds.bad.wholeNanoseconds
        self.rising = rising
        self.calm = calm.wholeNanoseconds
    }

    /// - Parameter nanoseconds: the greatest number when there was no answer at all.
    mutating func measured(_ nanoseconds: Int64, at now: ClusterInstant) {
        if nanoseconds < self.slow {
            guard self.grade > .good || self.slows > 0 else { return }
            self.slows = 0
            self.bads = 0
            if self.isCalm(since: self.slowAt, at: now) { self.grade = .good }
            if self.grade == .bad, self.isCalm(since: self.badAt, at: now) { self.grade = .slow }
            return
        }
        self.slows += 1
        self.slowAt = now
        self.bads = nanoseconds >= self.bad ? self.bads + 1 : 0
        if nanoseconds >= self.bad { self.badAt = now }
        if self.bads >= self.rising {
            self.grade = .bad
        } else if self.grade == .bad, self.isCalm(since: self.badAt, at: now) {
            self.grade = .slow
        } else if self.slows >= self.rising {
            self.grade = max(self.grade, .slow)
        }
    }

    private func isCalm(since moment: ClusterInstant, at now: ClusterInstant) -> Bool {
        now.nanoseconds - moment.nanoseconds >= self.calm
    }
}
