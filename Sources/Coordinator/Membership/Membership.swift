package import ClusterModel

/// Decides whom to accuse, and notices its own death.
///
/// A member is `alive` from its join until the database says otherwise; `dead` is final. Evidence against others
/// is only what was watched without a gap: when the own chain of heartbeats breaks, watching starts again.
package struct Membership: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Goes to `dead`.
        case alive
        /// Goes nowhere: the node joins again as a new incarnation, with a new coordinator.
        case dead
    }

    package let right: NodeRight
    package let times: MembershipTimes
    package private(set) var state: State = .alive
    /// Since when, on the own clock, every heartbeat's answer said that the chain is unbroken.
    package private(set) var chainSince: ClusterInstant
    package private(set) var watches: [Incarnation: Watch] = [:]
    package private(set) var published: ClusterView?
    private var viewAskedAt: ClusterInstant?

    /// What is known of another member's heartbeat.
    package struct Watch: Sendable, Equatable {
        package var slot: Slot
        package var heartbeats: Int64
        /// When its number was first seen, on the own clock.
        package var since: ClusterInstant
        /// An accusation is with the store.
        ///
        /// At most one for a member at a time.
        package var accused = false
    }

    package init(right: NodeRight, joinedAt now: ClusterInstant, times: MembershipTimes) {
        self.right = right
        self.times = times
        self.chainSince = now
    }

    package mutating func beatAnswered(
        _ news: HeartbeatNews, sentAt: ClusterInstant, at now: ClusterInstant
    ) -> Effects {
        var effects = Effects()
        guard self.state == .alive else { return effects }
        if !news.chainUnbroken {
            self.chainSince = now
            self.watches = [:]
        }
        self.observe(news.observed, at: now)
        effects.accusations = self.accusations(at: now)
        effects.readsView = self.isViewOld(news, at: now)
        if effects.readsView { self.viewAskedAt = now }
        effects.wakeAt = self.nextDue(after: now)
        return effects
    }

    package mutating func foundDead() -> Effects {
        var effects = Effects()
        guard self.state == .alive else { return effects }
        self.state = .dead
        effects.ends = true
        return effects
    }

    /// A view that is not a successor of the published one is dropped: answers may overtake one another.
    ///
    /// One of the same version that was read later shows the same members with newer load.
    package mutating func viewRead(_ view: ClusterView) -> Effects {
        var effects = Effects()
        guard self.state == .alive else { return effects }
        if let published = self.published {
            guard (view.version, view.readAt) > (published.version, published.readAt) else { return effects }
        }
        self.published = view
        effects.publishes = view
        return effects
    }

    package mutating func accusationAnswered(_ accusation: Accusation, killed: Bool) -> Effects {
        var effects = Effects()
        guard self.state == .alive else { return effects }
        if killed {
            self.watches[accusation.targetIncarnation] = nil
            effects.readsView = true
            effects.sweeps = true
        } else {
            self.watches[accusation.targetIncarnation]?.accused = false
        }
        return effects
    }

    package mutating func woke(at now: ClusterInstant) -> Effects {
        var effects = Effects()
        guard self.state == .alive else { return effects }
        effects.accusations = self.accusations(at: now)
        effects.wakeAt = self.nextDue(after: now)
        return effects
    }

    // MARK: Watching

    private mutating func observe(_ observed: [ObservedHeartbeat], at now: ClusterInstant) {
        var watches: [Incarnation: Watch] = [:]
        for other in observed where other.incarnation != self.right.incarnation {
            if let known = self.watches[other.incarnation], known.heartbeats == other.heartbeats {
                watches[other.incarnation] = known
            } else {
                watches[other.incarnation] = Watch(slot: other.slot, heartbeats: other.heartbeats, since: now)
            }
        }
        self.watches = watches
    }

    /// There is a newer one, or the load that it shows is old.
    private func isViewOld(_ news: HeartbeatNews, at now: ClusterInstant) -> Bool {
        guard let published, news.viewVersion <= published.version else { return true }
        return self.viewAskedAt.map { now.since($0) >= self.times.viewRefresh } ?? true
    }

    private var chainForVote: Duration { self.times.slowWindow }

    private mutating func accusations(at now: ClusterInstant) -> [Accusation] {
        guard now.since(self.chainSince) >= self.chainForVote else { return [] }
        var accusations: [Accusation] = []
        for (incarnation, watch) in self.watches.sorted(by: { $0.key < $1.key }) {
            let watched = now.since(watch.since)
            guard watched >= self.times.fastWindow, !watch.accused else { continue }
            self.watches[incarnation]?.accused = true
            accusations.append(
                Accusation(
                    accuserSlot: self.right.slot, accuser: self.right.incarnation, target: watch.slot,
                    targetIncarnation: incarnation, heartbeats: watch.heartbeats, watched: watched))
        }
        return accusations
    }

    /// The next moment at which a member will have stood still for a window, if nothing is heard of it.
    private func nextDue(after now: ClusterInstant) -> ClusterInstant? {
        let voteAt = self.chainSince.advanced(by: self.chainForVote)
        let due = self.watches.values.flatMap { watch in
            [self.times.fastWindow, self.times.slowWindow].map { max(watch.since.advanced(by: $0), voteAt) }
        }
        return due.filter { $0 > now }.min()
    }
}
