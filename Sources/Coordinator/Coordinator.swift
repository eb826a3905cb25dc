package import ClusterModel

/// Decides for one node what to do about its cluster.
///
/// Values in, values out: no I/O, no clock, no randomness. The runtime tells it what happened and when, performs
/// the effects in the order of their fields, and tells it what came of them. docs/COORDINATION.md shows why two
/// nodes never hold the same right.
package struct Coordinator: Sendable, Equatable {
    package private(set) var membership: Membership

    package init(right: NodeRight, joinedAt now: ClusterInstant, times: MembershipTimes = .standard) {
        self.membership = Membership(right: right, joinedAt: now, times: times)
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
        /// The time that ``Effects/wakeAt`` asked for has come.
        case woke
    }

    package mutating func step(_ input: Input, at now: ClusterInstant) -> Effects {
        switch input {
        case .beatAnswered(let news, let sentAt):
            self.membership.beatAnswered(news, sentAt: sentAt, at: now)
        case .foundDead:
            self.membership.foundDead()
        case .viewRead(let view):
            self.membership.viewRead(view)
        case .accusationAnswered(let accusation, let killed):
            self.membership.accusationAnswered(accusation, killed: killed)
        case .woke:
            self.membership.woke(at: now)
        }
    }
}

/// Orders to the runtime, performed in the order of the fields.
package struct Effects: Sendable, Equatable {
    /// Guarded writes, one statement each.
    package var accusations: [Accusation] = []
    /// The view that is known is out of date: read it.
    package var readsView = false
    /// A view to show to everybody; a successor of the last one.
    package var publishes: ClusterView?
    /// Somebody departed: clear what it left, now.
    package var sweeps = false
    /// This incarnation is dead: cancel everything and join again as a new one.
    package var ends = false
    /// When to say ``Coordinator/Input/woke``; nil for not before the next heartbeat's answer.
    package var wakeAt: ClusterInstant?

    package init() {}
}
