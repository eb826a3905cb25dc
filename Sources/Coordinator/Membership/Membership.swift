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
    /// A heartbeat's answer named an older view than the published one.
    private var mayGoBack = false
    /// When the last acknowledged heartbeat left.
    private var beatAt: ClusterInstant
    /// When the others' heartbeats were last seen.
    private var seenAt: ClusterInstant
    /// In nanoseconds: this is worked out for each member with each heartbeat.
    private let chainGap: Int64
    private let fastWindow: Int64
    private let slowWindow: Int64
    /// How many of the watched come before this node in the heartbeat's answer.
    private var place = 0
    /// Half a heartbeat's period.
    private let freshFor: Int64

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
        /// In nanoseconds of the own clock: after a refusal, when this node's turn to try again comes.
        var notBefore = Int64.min

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
        self.seenAt = now
        self.chainGap = times.chainGap.wholeNanoseconds
        self.fastWindow = times.fastWindow.wholeNanoseconds
        self.slowWindow = times.slowWindow.wholeNanoseconds
        self.freshFor = times.heartbeatPeriod.wholeNanoseconds / 2
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
        self.seenAt = now
        self.observe(news.observed, at: now)
        self.accuse(at: now, &effects)
        if let published, news.viewVersion < published.version { self.mayGoBack = true }
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
    /// One of the same version that was read later shows the same members with newer load. After a failover with loss
    /// the database's view is older than the published one: it is taken when a heartbeat's answer has said so before
    /// it was read, and then no older answer is under way.
    mutating func viewRead(_ view: ClusterView, _ effects: inout Effects) {
        guard self.state == .alive else { return }
        if let published = self.published {
            let isSuccessor = (view.version, view.readAt) > (published.version, published.readAt)
            guard isSuccessor || self.mayGoBack else { return }
        }
        self.mayGoBack = false
        self.published = view
        effects.publishes = view
    }

    mutating func accusationAnswered(
        _ accusation: Accusation, killed: Bool, at now: ClusterInstant, _ effects: inout Effects
    ) {
        guard self.state == .alive else { return }
        let index = self.watches.firstIndex { $0.incarnation == accusation.targetIncarnation }
        if killed {
            if let index {
                self.watches.remove(at: index)
                if index < self.place { self.place -= 1 }
            }
            effects.readsView = true
            effects.sweeps = true
        } else if let index {
            self.watches[index].accused = false
            self.watches[index].notBefore = self.turn(to: index, after: now)
        }
    }

    /// What was seen half a period ago is not held against anybody: the next heartbeat is about to show more.
    ///
    /// Windows end about when a heartbeat is due, and a target that beats just after this node seems to stand still
    /// until then.
    mutating func woke(at now: ClusterInstant, _ effects: inout Effects) {
        guard self.state == .alive, now.nanoseconds - self.seenAt.nanoseconds <= self.freshFor else { return }
        self.accuse(at: now, &effects)
    }

    // MARK: Watching

    /// While nobody comes or goes, the answer names the same members in the same order, and nothing is moved.
    private mutating func observe(_ observed: [ObservedHeartbeat], at now: ClusterInstant) {
        var index = 0
        let own = self.right.incarnation.rawValue
        for other in observed where other.incarnation.rawValue != own {
            guard index < self.watches.count,
                self.watches[index].incarnation.rawValue == other.incarnation.rawValue
            else {
                return self.observeAnew(observed, at: now)
            }
            if self.watches[index].heartbeats != other.heartbeats {
                self.watches[index].heartbeats = other.heartbeats
                self.watches[index].since = now
                self.watches[index].accused = false
                self.watches[index].notBefore = .min
            }
            index += 1
        }
        if index < self.watches.count { self.watches.removeSubrange(index...) }
    }

    private mutating func observeAnew(_ observed: [ObservedHeartbeat], at now: ClusterInstant) {
        let known = self.watches
        self.place = observed.firstIndex { $0.incarnation == self.right.incarnation } ?? 0
        self.watches = observed.compactMap { other in
            guard other.incarnation != self.right.incarnation else { return nil }
            let same = known.first {
                $0.incarnation == other.incarnation && $0.heartbeats == other.heartbeats
            }
            return same ?? Watch(other, since: now)
        }
    }

    /// There is another one, or the load that it shows is old.
    private func isViewOld(_ news: HeartbeatNews, at now: ClusterInstant) -> Bool {
        guard let published, news.viewVersion == published.version else { return true }
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
            let turn = self.watches[index].notBefore
            guard now.nanoseconds >= turn else {
                due = min(due, turn)
                continue
            }
            self.watches[index].accused = true
            effects.accusations.append(self.accusation(of: self.watches[index], at: now))
        }
        if due < .max { effects.wake(at: ClusterInstant(nanoseconds: due)) }
    }

    /// When this node tries again after a refusal: in turns with everybody else who beats, so that the cluster as a
    /// whole asks once in a heartbeat's period, whatever its size.
    ///
    /// The target is mostly paused or cut off, and nothing but its lock or the slow window's end will change the
    /// answer. Its lock may go at any moment (somebody kills what was paused), so nobody waits for the window either;
    /// when the window ends, everybody tries. All see the target stand still from nearly the same moment, so the turns
    /// need no common clock; one that somebody misses costs one period.
    private func turn(to index: Int, after now: ClusterInstant) -> Int64 {
        let since = self.watches[index].since.nanoseconds
        let period = self.times.heartbeatPeriod.wholeNanoseconds
        var before: Int64 = 0
        var after: Int64 = 0
        for (other, watch) in self.watches.enumerated()
        where other != index && now.nanoseconds - watch.since.nanoseconds < self.fastWindow {
            if other < self.place { before += 1 } else { after += 1 }
        }
        let first = since + self.fastWindow + before * period
        let round = (before + 1 + after) * period
        let rounds = max(0, now.nanoseconds - first) / round + 1
        let next = now.nanoseconds < first ? first : first + rounds * round
        let slowAt = since + self.slowWindow
        return now.nanoseconds < slowAt ? min(next, slowAt) : next
    }

    private func accusation(of watch: Watch, at now: ClusterInstant) -> Accusation {
        Accusation(
            accuserSlot: self.right.slot, accuser: self.right.incarnation, target: watch.slot,
            targetIncarnation: watch.incarnation, heartbeats: watch.heartbeats,
            watched: now.since(watch.since))
    }
}
