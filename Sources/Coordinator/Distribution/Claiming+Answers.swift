package import ClusterModel

/// What the store has answered.
extension Claiming {
    /// Pages replace what was known of their lanes.
    package mutating func surveyed(_ page: [LaneBacklog], at now: ClusterInstant) {
        guard case .survey(let after, let lanes, let depth)? = self.inFlight else { return }
        self.inFlight = nil
        self.pause = self.settings.pauseMin
        self.surveyedAt = now
        let last = page.count < lanes ? nil : page.last?.lane
        self.cursor = last
        let before = self.lanes
        self.looked(at: page, before: before)
        self.lanes = self.lanes.filter { entry in
            let isBefore = after.map { entry.key <= $0 } ?? false
            let isBehind = last.map { entry.key > $0 } ?? false
            return isBefore || isBehind
        }
        for backlog in page where self.settings.kinds.contains(backlog.kind) {
            self.lanes[backlog.lane] = self.known(
                backlog, before: before[backlog.lane], depth: depth, at: now)
        }
        self.forgetLanes()
        if !self.lanes.values.contains(where: { $0.ready > 0 && $0.part != nil }) { self.rangForNothing() }
    }

    /// Nil: the incarnation is dead.
    ///
    /// The caller asks ``joined(slot:)`` when there is a new one.
    ///
    /// Answers those that are to be run: what was taken away again meanwhile is not.
    @discardableResult
    package mutating func claimed(_ jobs: [ClaimedJob]?) -> [ClaimedJob] {
        guard case .claim(let shares, let sentAt)? = self.inFlight else { return [] }
        self.inFlight = nil
        self.pause = self.settings.pauseMin
        defer { self.lostEarly = [] }
        guard let jobs else {
            self.role = .holds
            self.lanes = [:]
            return []
        }
        let byLane = Dictionary(grouping: jobs, by: \.lane)
        for share in shares { self.took(byLane[share.lane] ?? [], of: share, sentAt: sentAt) }
        let kept = jobs.filter { !self.lostEarly.contains($0.title) }
        for job in kept { self.held.began(job, claimSentAt: sentAt) }
        if jobs.isEmpty {
            self.rangForNothing()
        } else {
            self.ringPause = max(self.settings.ringPauseMin, self.ringPause / 2)
        }
        return kept
    }

    /// A statement failed.
    ///
    /// Claims whose fate nobody knows are read before anything else is claimed.
    package mutating func failed(_ failure: Failure, at now: ClusterInstant) {
        defer {
            self.pausedUntil = now.advanced(by: self.pause)
            self.pause = min(self.pause * 2, self.settings.pauseMax)
        }
        switch self.inFlight {
        case .survey?:
            self.isWanted = true
        case .claim(let shares, _)?:
            for share in shares { self.fairness.taken(share.lane, asked: share.most, bytes: []) }
            self.isWanted = true
            if failure == .mayHaveRun {
                self.doubt = Doubt(since: now, readAt: now, pause: self.settings.pauseMin)
            }
        case .readClaims?:
            self.doubt?.readAt = now.advanced(by: self.pause)
            self.reviewAt = now.advanced(by: self.pause)
        case nil:
            return
        }
        self.inFlight = nil
        // Whatever it granted is read from the store, where what was taken away is not.
        self.lostEarly = []
    }

    /// All claims of this incarnation were read.
    ///
    /// Answers those that nobody knows, to be given back: the lost grant, or one whose accepted ending a failover lost.
    ///
    /// In doubt it is read again and again until no statement of before can grant any more.
    package mutating func claimsRead(_ claims: [ClaimedJob], at now: ClusterInstant) -> [ClaimedJob] {
        guard self.inFlight == .readClaims else { return [] }
        self.inFlight = nil
        self.pause = self.settings.pauseMin
        self.reviewAt = now.advanced(by: self.settings.reviewEvery)
        if var doubt = self.doubt {
            doubt.isRead = true
            doubt.pause = min(doubt.pause * 2, .seconds(5))
            doubt.readAt = now.advanced(by: doubt.pause)
            self.doubt = now.since(doubt.since) >= self.settings.lateness ? nil : doubt
        }
        let unknown = claims.filter { !self.held.isKnown($0.title) }
        for job in unknown { self.held.refused(job) }
        return unknown
    }

    // MARK: Lanes

    private func known(
        _ backlog: LaneBacklog, before: KnownLane?, depth: Int, at now: ClusterInstant
    ) -> KnownLane {
        var part: ServingNodes.Part?
        if let before, before.backlog.requires == backlog.requires,
            before.backlog.account == backlog.account, before.part != nil
        {
            part = before.part
        } else {
            part = self.part(of: backlog)
        }
        let share = part?.share ?? 0
        let isDeep = backlog.ready >= depth
        return KnownLane(
            backlog: backlog, ready: backlog.ready, isDeep: isDeep,
            allotted: isDeep ? Int.max : max(1, Int((Double(backlog.ready) * share).rounded(.up))),
            part: part,
            mark: backlog.firstRank, beganAtBeginning: before?.beganAtBeginning ?? now, surveyedAt: now)
    }

    func part(of backlog: LaneBacklog) -> ServingNodes.Part? {
        self.nodes.part(of: self.slot, in: backlog.requires, account: backlog.account)
    }

    /// Those surveyed longest ago go; their page comes again.
    private mutating func forgetLanes() {
        let surplus = self.lanes.count - self.settings.lanesRemembered
        guard surplus > 0 else { return }
        let oldest = self.lanes.sorted { ($0.value.surveyedAt, $0.key) < ($1.value.surveyedAt, $1.key) }
        for (lane, _) in oldest.prefix(surplus) { self.lanes[lane] = nil }
    }

    /// Lanes that this node may take from now, and how much of each.
    func candidates(at now: ClusterInstant) -> [Fairness.Candidate] {
        var byKind: [JobKind: Int] = [:]
        return self.lanes.values.compactMap { known in
            guard known.ready > 0, let part = known.part else { return nil }
            let backlog = known.backlog
            let waited = backlog.waited + now.since(known.surveyedAt)
            guard !self.isOverloaded || waited >= self.settings.overloadPatience else { return nil }
            var demand = min(known.isDeep ? Int.max : known.ready, known.allotted, backlog.room ?? Int.max)
            if let perNode = backlog.perNode {
                let held = byKind[backlog.kind] ?? self.held.count(of: backlog.kind)
                byKind[backlog.kind] = held
                demand = min(demand, perNode - held)
            }
            guard demand > 0 else { return nil }
            return Fairness.Candidate(
                lane: backlog.lane, weight: backlog.weight, demand: min(demand, self.settings.capacity),
                affinity: part.affinity)
        }
    }

    /// Lanes of one kind share its limit on this node, and one claim has so many lanes at most.
    mutating func withinOwnLimits(_ turns: [Fairness.Turn]) -> [Fairness.Turn] {
        var left: [JobKind: Int] = [:]
        var kept: [Fairness.Turn] = []
        for turn in turns {
            var jobs = kept.count < self.settings.lanesAClaim ? turn.jobs : 0
            if let backlog = self.lanes[turn.lane]?.backlog, let perNode = backlog.perNode {
                let room = left[backlog.kind] ?? perNode - self.held.count(of: backlog.kind)
                jobs = min(jobs, max(0, room))
                left[backlog.kind] = room - jobs
            }
            if jobs < turn.jobs { self.fairness.taken(turn.lane, asked: turn.jobs - jobs, bytes: []) }
            if jobs > 0 { kept.append(Fairness.Turn(lane: turn.lane, jobs: jobs)) }
        }
        return kept
    }

    private mutating func took(_ jobs: [ClaimedJob], of share: LaneShare, sentAt: ClusterInstant) {
        self.fairness.taken(share.lane, asked: share.most, bytes: jobs.map(\.bytes))
        guard var known = self.lanes[share.lane] else { return }
        known.allotted = known.isDeep ? known.allotted : known.allotted - jobs.count
        if let room = known.backlog.room { known.backlog.room = room - jobs.count }
        if jobs.count < share.most, known.backlog.room != nil {
            // A limit holds them back, until the next look.
            known.backlog.room = 0
        } else if jobs.count < share.most {
            // What is left is in others' hands, who may put it back.
            known.isDeep = false
            known.ready = 0
            self.lookUntil = max(self.lookUntil, sentAt.advanced(by: self.settings.lookFor))
        } else if !known.isDeep {
            known.ready -= jobs.count
        }
        if let rank = jobs.compactMap(\.rank).max() { known.mark = max(known.mark ?? rank, rank) }
        self.lanes[share.lane] = known
    }

    /// How soon the next ring is answered while there is enough to do.
    private mutating func looked(at page: [LaneBacklog], before: [JobLane: KnownLane]) {
        let isFresh = page.contains { $0.ready > 0 && (before[$0.lane]?.ready ?? 0) == 0 }
        let isForNothing = self.isRung && !isFresh
        self.busyRingPause =
            isForNothing ? min(self.busyRingPause * 2, self.settings.lookEvery) : self.settings.busyRingPause
    }

    private mutating func rangForNothing() {
        self.ringPause = min(self.settings.ringPauseMax, self.ringPause * 2)
    }
}
