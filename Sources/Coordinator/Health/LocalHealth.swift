package import ClusterModel

/// What a node noticed of its own health.
package enum HealthSign: Sendable, Equatable {
    /// A heartbeat left so long after its time.
    case beatLeft(late: Duration)
    /// A heartbeat was not answered.
    case beatFailed
    /// The mount was probed; `trouble` says what was wrong.
    case mountProbed(took: Duration, trouble: String?)
}

/// Decides how much a node trusts itself: lowers the capacity that it offers step by step, and asks to be drained
/// before others have to accuse it.
///
/// Slow takes it down to half; bad, or a missing mount, to a tenth and into the drain. It comes back step by step.
/// It never drains itself when fewer than half of the live members would be left: then all of them see the same
/// trouble, and going away helps nobody. Only its own drain is undone by it, never an operator's.
package struct LocalHealth: Sendable, Equatable {
    /// Percent of the capacity, by level.
    package static let shares = [100, 75, 50, 25, 10]
    private static let slowLevelMax = 2

    package enum Drain: Sendable, Equatable {
        /// Goes to `beginning`.
        case none
        /// Goes to `own`, `unsure` or `none`.
        case beginning
        /// This node asked for it. Goes to `ending`, or to `none` when an operator undid it.
        case own(since: ClusterInstant)
        /// Nobody knows whether the order was carried out. Goes to `ending` or `none`.
        case unsure
        /// Goes to `none`, or to `unsure` when nobody knows.
        case ending
    }

    /// 0 for well to 4 for the smallest share.
    package private(set) var level = 0
    package private(set) var drain: Drain = .none
    private let right: NodeRight
    private let times: HealthTimes
    private var lateness: Gauge
    private var roundTrip: Gauge
    private var probe: Gauge
    private var probeFailures = 0
    private var trouble: String?
    private var steppedAt: ClusterInstant?
    private var mayOrderAt = ClusterInstant.zero
    private var othersActive = 0
    private var live = 0
    /// An operator undid the drain: no other one before the node was well again.
    private var overruled = false

    init(right: NodeRight, times: HealthTimes) {
        self.right = right
        self.times = times
        self.lateness = Gauge(times.lateness, rising: times.rising, calm: times.calm)
        self.roundTrip = Gauge(times.roundTrip, rising: times.rising, calm: times.calm)
        self.probe = Gauge(times.probe, rising: times.failuresMax, calm: times.calm)
    }

    /// Percent of the capacity that the node offers.
    package var share: Int { Self.shares[self.level] }

    /// Why the node holds itself for sick, for people; empty when it is well.
    package var reasons: [String] {
        var reasons: [String] = []
        if self.lateness.grade > .good { reasons.append("its timers are late") }
        if self.roundTrip.grade > .good { reasons.append("the database answers it slowly") }
        if self.isMountGone {
            reasons.append("the mount: \(self.trouble ?? "does not answer")")
        } else if self.probe.grade > .good {
            reasons.append("the mount answers it slowly")
        }
        return reasons
    }

    mutating func beatAnswered(
        _ news: HeartbeatNews, sentAt: ClusterInstant, at now: ClusterInstant, _ effects: inout Effects
    ) {
        self.roundTrip.measured(now.nanoseconds - sentAt.nanoseconds, at: now)
        self.settle(news, sentAt: sentAt)
        self.weigh(at: now, &effects)
        self.order(news.status, at: now, &effects)
    }

    mutating func measured(_ sign: HealthSign, at now: ClusterInstant, _ effects: inout Effects) {
        switch sign {
        case .beatLeft(let late): self.lateness.measured(late.wholeNanoseconds, at: now)
        case .beatFailed: self.roundTrip.measured(.max, at: now)
        case .mountProbed(let took, let trouble):
            self.trouble = trouble
            self.probeFailures = trouble == nil ? 0 : self.probeFailures + 1
            self.probe.measured(trouble == nil ? took.wholeNanoseconds : .max, at: now)
        }
        self.weigh(at: now, &effects)
    }

    mutating func viewPublished(_ view: ClusterView) {
        self.live = view.members.count { $0.status != .dead }
        self.othersActive = view.members.count {
            $0.status == .active && $0.incarnation != self.right.incarnation
        }
    }

    /// - Parameter done: nil when nobody knows.
    mutating func drainAnswered(_ order: DrainWish, done: Bool?, at now: ClusterInstant) {
        switch (self.drain, order, done) {
        case (.beginning, .begin, true?): self.drain = .own(since: now)
        case (.beginning, .begin, false?), (.ending, .end, .some): self.drain = .none
        case (.beginning, .begin, nil), (.ending, .end, nil): self.drain = .unsure
        case (.none, _, _), (.own, _, _), (.unsure, _, _), (.beginning, .end, _), (.ending, .begin, _): break
        }
    }

    // MARK: The level

    private var isMountGone: Bool { self.probeFailures >= self.times.failuresMax }

    private var worst: Gauge.Grade { max(self.lateness.grade, self.roundTrip.grade, self.probe.grade) }

    private mutating func weigh(at now: ClusterInstant, _ effects: inout Effects) {
        let worst = self.worst
        guard worst > .good || self.level > 0 || self.isMountGone else { return }
        let before = self.level
        if self.isMountGone {
            self.level = Self.shares.count - 1
        } else if let steppedAt,
            now.since(steppedAt) < (worst > .good ? self.times.stepDown : self.times.stepUp)
        {
            return
        } else {
            switch worst {
            case .good: self.level = max(0, self.level - 1)
            case .slow where self.level > Self.slowLevelMax: self.level -= 1
            case .slow: self.level = min(Self.slowLevelMax, self.level + 1)
            case .bad: self.level = min(Self.shares.count - 1, self.level + 1)
            }
        }
        guard self.level != before else { return }
        self.steppedAt = now
        effects.capacityShare = self.share
    }

    // MARK: The drain

    /// An operator may have undone the own drain.
    private mutating func settle(_ news: HeartbeatNews, sentAt: ClusterInstant) {
        if self.level == 0 { self.overruled = false }
        guard case .own(let since) = self.drain, sentAt > since, news.status == .active else { return }
        self.drain = .none
        self.overruled = true
    }

    private mutating func order(_ status: MemberStatus, at now: ClusterInstant, _ effects: inout Effects) {
        guard now >= self.mayOrderAt else { return }
        switch self.drain {
        case .none:
            guard self.level == Self.shares.count - 1, status == .active, !self.overruled,
                self.othersActive * 2 >= self.live, self.othersActive > 0
            else { return }
            self.drain = .beginning
            effects.drain = .begin(reason: self.reasons.joined(separator: "; "))
        case .own, .unsure:
            guard self.level == 0 || self.othersActive == 0 else { return }
            self.drain = .ending
            effects.drain = .end
        case .beginning, .ending: return
        }
        self.mayOrderAt = now.advanced(by: self.times.drainPause)
    }
}
