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
    /// The others, in the order of the heartbeat's answer; changed in place while nobody comes or goes.
    package private(set) var watches: [Watch] = []
    package private(set) var published: ClusterView?
    private var viewAskedAt: ClusterInstant?
    /// When the last acknowledged heartbeat left.
    private var beatAt: ClusterInstant
    /// In nanoseconds: this is worked out for each member with each heartbeat.
    private let chainGap: Int64
    private let fastWindow: Int64
    private let slowWindow: Int64

    /// What is known of another member's heartbeat.
    package struct Watch: Sendable, Equatable {
        package var slot: Slot
        package var incarnation: Incarnation
        package var heartbeats: Int64
        /// When its number was first seen, on the own clock.
        package var since: ClusterInstant
        /// An accusation is with the store.
        ///
        /// At most one for a member at a time.
        package var accused = false

        init(_ observed: ObservedHeartbeat, since: ClusterInstant) {
            self.slot = observed.slot
            self.incarnation = observed.incarnation
            self.heartbeats = observed.heartbeats
            self.since = since
        }
    }

    package init(right: NodeRight, joinedAt now: ClusterInstant, times: MembershipTimes) {
        self.right = right
        self.times = times
        self.chainSince = now
        self.beatAt = now
        self.chainGap = times.chainGap.wholeNanoseconds
        self.fastWindow = times.fastWindow.wholeNanoseconds
        self.slowWindow = times.slowWindow.wholeNanoseconds
    }

    /// The chain is also broken when the own clock says so: the database's may have been set back by just as long as
    /// it was gone.
    mutating func beatAnswered(
        _ news: HeartbeatNews, sentAt: ClusterInstant, at now: ClusterInstant, _ effects: inout Effects
    ) {
        guard self.state == .alive else { return }
        let gap = sentAt.nanoseconds - self.beatAt.nanoseconds
        self.beatAt = max(self.beatAt, sentAt)
        if !news.chainUnbroken || gap > self.chainGap {
            self.chainSince = now
            self.watches.removeAll(keepingCapacity: true)
        }
        self.observe(news.observed, at: now)
        self.accuse(at: now, &effects)
        if self.isViewOld(news, at: now) {
            effects.readsView = true
            self.viewAskedAt = now
        }
    }

    /// Nobody can say whether the database was there: no vote until the chain is long again.
    mutating func beatFailed(at now: ClusterInstant) {
        self.chainSince = now
        self.watches.removeAll(keepingCapacity: true)
    }

    mutating func foundDead(_ effects: inout Effects) {
        guard self.state == .alive else { return }
        self.state = .dead
        effects.ends = true
    }

    /// A view that is not a successor of the published one is dropped: answers may overtake one another.
    ///
    /// One of the same version that was read later shows the same members with newer load.
    mutating func viewRead(_ view: ClusterView, _ effects: inout Effects) {
        guard self.state == .alive else { return }
        if let published = self.published {
            guard (view.version, view.readAt) > (published.version, published.readAt) else { return }
        }
        self.published = view
        effects.publishes = view
    }

    mutating func accusationAnswered(_ accusation: Accusation, killed: Bool, _ effects: inout Effects) {
        guard self.state == .alive else { return }
        let index = self.watches.firstIndex { $0.incarnation == accusation.targetIncarnation }
        if killed {
            if let index { self.watches.remove(at: index) }
            effects.readsView = true
            effects.sweeps = true
        } else if let index {
            self.watches[index].accused = false
        }
    }

    mutating func woke(at now: ClusterInstant, _ effects: inout Effects) {
        guard self.state == .alive else { return }
        self.accuse(at: now, &effects)
    }

    // MARK: Watching

    /// While nobody comes or goes, the answer names the same members in the same order, and nothing is moved.
    private mutating func observe(_ observed: [ObservedHeartbeat], at now: ClusterInstant) {
        var index = 0
        for other in observed where other.incarnation != self.right.incarnation {
            guard index < self.watches.count, self.watches[index].incarnation == other.incarnation else {
                return self.observeAnew(observed, at: now)
            }
            if self.watches[index].heartbeats != other.heartbeats {
                self.watches[index].heartbeats = other.heartbeats
                self.watches[index].since = now
                self.watches[index].accused = false
            }
            index += 1
        }
        if index < self.watches.count { self.watches.removeSubrange(index...) }
    }

    private mutating func observeAnew(_ observed: [ObservedHeartbeat], at now: ClusterInstant) {
        let known = self.watches
        self.watches = observed.compactMap { other in
            guard other.incarnation != self.right.incarnation else { return nil }
            let same = known.first {
                $0.incarnation == other.incarnation && $0.heartbeats == other.heartbeats
            }
            return same ?? Watch(other, since: now)
        }
    }

    /// There is a newer one, or the load that it shows is old.
    private func isViewOld(_ news: HeartbeatNews, at now: ClusterInstant) -> Bool {
        guard let published, news.viewVersion <= published.version else { return true }
        return self.viewAskedAt.map { now.since($0) >= self.times.viewRefresh } ?? true
    }

    /// Accuses who stood still for the fast window, and asks to be woken when the next one will have.
    private mutating func accuse(at now: ClusterInstant, _ effects: inout Effects) {
        let voteAt = self.chainSince.nanoseconds + self.slowWindow
        let mayVote = now.nanoseconds >= voteAt
        var due = Int64.max
        for index in self.watches.indices {
            let since = self.watches[index].since.nanoseconds
            let fastAt = max(since + self.fastWindow, voteAt)
            guard now.nanoseconds >= fastAt else {
                due = min(due, fastAt)
                continue
            }
            let slowAt = since + self.slowWindow
            if slowAt > now.nanoseconds { due = min(due, slowAt) }
            guard mayVote, !self.watches[index].accused else { continue }
            self.watches[index].accused = true
            effects.accusations.append(self.accusation(of: self.watches[index], at: now))
        }
        if due < .max { effects.wake(at: ClusterInstant(nanoseconds: due)) }
    }

    private func accusation(of watch: Watch, at now: ClusterInstant) -> Accusation {
        Accusation(
            accuserSlot: self.right.slot, accuser: self.right.incarnation, target: watch.slot,
            targetIncarnation: watch.incarnation, heartbeats: watch.heartbeats,
            watched: now.since(watch.since))
    }
}
