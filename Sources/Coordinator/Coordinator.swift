package import ClusterModel

/// Decides for one node what to do about its cluster.
///
/// Values in, values out: no I/O, no clock, no randomness. The runtime tells it what happened and when, performs
/// the effects in the order of their fields, and tells it what came of them. docs/COORDINATION.md shows why two
/// nodes never hold the same right.
package struct Coordinator: Sendable, Equatable {
    package private(set) var membership: Membership
    package private(set) var candidacy: Candidacy
    package private(set) var health: LocalHealth

    package init(
        right: NodeRight, joinedAt now: ClusterInstant, times: MembershipTimes = .standard,
        healthTimes: HealthTimes = .standard
    ) {
        self.membership = Membership(right: right, joinedAt: now, times: times)
        self.candidacy = Candidacy(right: right, joinedAt: now, times: times)
        self.health = LocalHealth(right: right, times: healthTimes)
    }

    /// What the runtime tells.
    package enum Input: Sendable, Equatable {
        /// A heartbeat that left at `sentAt` was acknowledged.
        case beatAnswered(HeartbeatNews, sentAt: ClusterInstant)
        /// The database has no live row for this incarnation.
        case foundDead
        case viewRead(ClusterView)
        /// The store's answer to an accusation.
        case accusationAnswered(Accusation, killed: Bool)
        /// The store's answer to a claim of the lead; nil when it was not taken, or nobody knows.
        case leadAnswered(LeadClaim, taken: Leadership?)
        /// What the node noticed of its own health.
        case measured(HealthSign)
        /// The store's answer to ``Effects/drain``; false when nothing changed, nil when nobody knows.
        case drainAnswered(DrainWish, done: Bool?)
        /// The time that ``Effects/wakeAt`` asked for has come.
        case woke
    }

    package mutating func step(_ input: Input, at now: ClusterInstant) -> Effects {
        var effects = Effects()
        guard self.membership.state == .alive else { return effects }
        switch input {
        case .beatAnswered(let news, let sentAt):
            self.membership.beatAnswered(news, sentAt: sentAt, at: now, &effects)
            self.candidacy.beatAnswered(news, sentAt: sentAt, at: now, &effects)
            self.health.beatAnswered(news, sentAt: sentAt, at: now, &effects)
        case .foundDead:
            self.membership.foundDead(&effects)
        case .viewRead(let view):
            self.membership.viewRead(view, &effects)
            guard effects.publishes != nil else { break }
            self.candidacy.viewPublished(view, at: now, &effects)
            self.health.viewPublished(view)
        case .accusationAnswered(let accusation, let killed):
            self.membership.accusationAnswered(accusation, killed: killed, at: now, &effects)
        case .leadAnswered(let claim, let taken):
            self.candidacy.leadAnswered(claim, taken: taken, &effects)
        case .measured(let sign):
            if sign == .beatFailed { self.membership.beatFailed(at: now) }
            self.health.measured(sign, at: now, &effects)
        case .drainAnswered(let order, let done):
            self.health.drainAnswered(order, done: done, at: now)
        case .woke:
            self.membership.woke(at: now, &effects)
        }
        return effects
    }
}
