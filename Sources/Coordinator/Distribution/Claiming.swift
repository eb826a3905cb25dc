package import ClusterModel

/// Decides when a node looks for jobs, which it asks for, and how many.
///
/// Performs nothing and reads no clock. One statement is in flight at most. What is remembered of lanes is a hint: the
/// claim's statement decides who gets what, so nothing here, and nothing that rings, can do more harm than a claim that
/// comes back empty.
package struct Claiming: Sendable, Equatable {
    package let settings: Settings
    package var held = HeldJobs()
    var slot: Slot
    var role: Role = .holds
    var nodes = ServingNodes(nil)
    var isOverloaded = false
    var lanes: [JobLane: KnownLane] = [:]
    var fairness: Fairness
    var inFlight: InFlight?
    var doubt: Doubt?
    /// Claims that were taken away before the answer that granted them came.
    var lostEarly: Set<JobTitle> = []
    /// When it reads what it holds though there is no doubt; nil before it has begun.
    ///
    /// Nobody wakes for it: whoever drives this asks several times a second anyway.
    var reviewAt: ClusterInstant?

    var news: Int64?
    /// Until then it looks at every beat.
    var lookUntil: ClusterInstant = .zero
    /// Somebody says that there is work.
    var isWanted = true
    var ringPause: Duration
    var busyRingPause: Duration
    /// Whether the look that is in flight answers a ring.
    var isRung = false
    var surveyedAt: ClusterInstant?
    /// Where the next page begins; nil for the beginning.
    var cursor: JobLane?
    /// Since when a slot has been free that the backlog could fill.
    var gatheringSince: ClusterInstant?
    var pausedUntil: ClusterInstant = .zero
    var pause: Duration

    package init(slot: Slot, settings: Settings) {
        self.slot = slot
        self.settings = settings
        self.fairness = Fairness(settings.fairness)
        self.ringPause = settings.ringPauseMin
        self.busyRingPause = settings.busyRingPause
        self.pause = settings.pauseMin
    }

    // MARK: What happened

    /// A new incarnation: nothing is known but the handlers that have not returned.
    package mutating func joined(slot: Slot) {
        var fresh = Claiming(slot: slot, settings: self.settings)
        _ = self.held.lostAll()
        fresh.held = self.held
        fresh.nodes = self.nodes
        self = fresh
    }

    package mutating func roleChanged(_ role: Role) {
        if self.role == .holds && role == .claims { self.isWanted = true }
        self.role = role
    }

    package mutating func viewChanged(_ view: ClusterView?) {
        let nodes = ServingNodes(view)
        guard nodes != self.nodes else { return }
        self.nodes = nodes
        for (lane, known) in self.lanes {
            let part = self.part(of: known.backlog)
            self.lanes[lane]?.part = part
        }
    }

    /// The node's own load, which is fresher than what the view has.
    package mutating func loadSampled(isOverloaded: Bool) { self.isOverloaded = isOverloaded }

    /// A heartbeat's answer: another number than before means that there may be work.
    package mutating func newsHeard(_ number: Int64, at now: ClusterInstant) {
        guard number != self.news else { return }
        self.news = number
        self.lookUntil = now.advanced(by: self.settings.lookFor)
        self.isWanted = true
    }

    /// A doorbell: a hint.
    package mutating func rang() { self.isWanted = true }

    /// A claim of this lane has ended; a limit of its kind or account may have room now.
    package mutating func settled(_ title: JobTitle) {
        if let lane = self.held.lane(of: title), self.lanes[lane]?.backlog.room != nil {
            self.isWanted = true
        }
        self.held.settled(title)
    }

    /// A claim was taken away.
    ///
    /// True: a handler is to be cancelled. What nobody knows yet may be in the answer that is awaited.
    package mutating func lost(_ title: JobTitle) -> Bool {
        if case .claim? = self.inFlight, !self.held.isKnown(title) {
            // No more than were asked for can be in the answer.
            if self.lostEarly.count < 1_000 { self.lostEarly.insert(title) }
            return false
        }
        return self.held.lost(title)
    }

    /// A statement is in flight.
    package var isAsking: Bool { self.inFlight != nil }

    // MARK: What to do

    /// - Parameter endingsWaiting: endings that the store has not answered.
    package mutating func next(at now: ClusterInstant, endingsWaiting: Int = 0) -> Next {
        guard self.inFlight == nil else { return Next() }
        if let doubt = self.doubt {
            if doubt.readAt <= now {
                self.inFlight = .readClaims
                return Next(order: .readClaims)
            }
            // What the lost answer granted takes up room that nobody has counted yet.
            guard doubt.isRead else { return Next(wakeAt: doubt.readAt) }
        }
        let reviewAt = self.reviewAt ?? now.advanced(by: self.settings.reviewEvery)
        self.reviewAt = reviewAt
        if self.doubt == nil, reviewAt <= now {
            self.inFlight = .readClaims
            return Next(order: .readClaims)
        }
        let next = self.nextClaim(at: now, endingsWaiting: endingsWaiting)
        guard next.order == nil, let doubt = self.doubt else { return next }
        return Next(wakeAt: min(next.wakeAt ?? doubt.readAt, doubt.readAt))
    }

    private mutating func nextClaim(at now: ClusterInstant, endingsWaiting: Int) -> Next {
        guard self.role == .claims, !self.settings.kinds.isEmpty else { return Next() }
        guard self.pausedUntil <= now else { return Next(wakeAt: self.pausedUntil) }
        let free = self.settings.capacity - self.held.running
        guard free > 0, endingsWaiting < self.settings.endingsMax else {
            self.gatheringSince = nil
            return Next()
        }
        if let since = self.gatheringSince, free * 4 < self.settings.capacity {
            // Each job that ends asks; most of them need not look at all the lanes.
            let claimAt = since.advanced(by: self.settings.gatherFor)
            if now < claimAt { return Next(wakeAt: claimAt) }
        }
        let candidates = self.candidates(at: now)
        let surveyAt = self.surveyAt(hasCandidates: !candidates.isEmpty)
        if surveyAt <= now { return Next(order: self.survey()) }
        guard !candidates.isEmpty else {
            self.gatheringSince = nil
            return Next(wakeAt: surveyAt)
        }
        let since = self.gatheringSince ?? now
        self.gatheringSince = since
        let claimAt = since.advanced(by: self.settings.gatherFor)
        let backlog = candidates.reduce(0) { $0 + $1.demand }
        guard free * 4 >= self.settings.capacity || free >= backlog || claimAt <= now else {
            return Next(wakeAt: min(claimAt, surveyAt))
        }
        return Next(order: self.claim(candidates, slots: free, at: now))
    }

    /// When the next look is due.
    private func surveyAt(hasCandidates: Bool) -> ClusterInstant {
        guard let last = self.surveyedAt else { return .zero }
        let leftovers = !hasCandidates && self.lanes.values.contains { $0.ready > 0 && $0.part != nil }
        let pause: Duration
        if hasCandidates {
            // There is enough to do; looking keeps it fair.
            let next = self.isWanted ? self.busyRingPause : self.settings.lookEvery
            pause = self.cursor == nil ? next : self.settings.pageEvery
        } else if self.isWanted {
            pause = self.ringPause
        } else if self.cursor != nil {
            pause = self.settings.pageEvery
        } else if leftovers {
            let isLimited = self.lanes.values.allSatisfy { $0.ready == 0 || $0.allotted > 0 }
            pause = isLimited ? self.settings.lookEvery : self.settings.pageEvery
        } else if last < self.lookUntil {
            pause = self.settings.lookEvery
        } else {
            pause = self.settings.idleEvery
        }
        return last.advanced(by: pause)
    }

    private mutating func survey() -> Order {
        let nodes = max(1, self.nodes.nodes.count)
        let depth = min(
            max(nodes * self.settings.capacity, self.settings.depthMin), self.settings.depthMax)
        self.isRung = self.isWanted
        self.isWanted = false
        self.inFlight = .survey(after: self.cursor, lanes: self.settings.lanesAPage, depth: depth)
        return .survey(after: self.cursor, lanes: self.settings.lanesAPage, depth: depth)
    }

    private mutating func claim(
        _ candidates: [Fairness.Candidate], slots: Int, at now: ClusterInstant
    ) -> Order {
        self.gatheringSince = nil
        let turns = self.fairness.deal(candidates, slots: min(slots, 1_000), at: now)
        let shares = self.withinOwnLimits(turns).map { turn in self.share(turn, at: now) }
        self.inFlight = .claim(shares, sentAt: now)
        return .claim(shares)
    }

    private mutating func share(_ turn: Fairness.Turn, at now: ClusterInstant) -> LaneShare {
        guard let known = self.lanes[turn.lane] else {
            preconditionFailure("lane \(turn.lane) was dealt and is not known")
        }
        var from = known.mark
        if now.since(known.beganAtBeginning) >= self.settings.beginningEvery {
            self.lanes[turn.lane]?.beganAtBeginning = now
            from = nil
        }
        return LaneShare(
            lane: turn.lane, kind: known.backlog.kind, account: known.backlog.account, from: from,
            most: turn.jobs)
    }
}
