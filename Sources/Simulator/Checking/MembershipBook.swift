import ClusterModel

/// What the judge knows of members.
struct MembershipBook {
    struct Pulse {
        var incarnation: Int64 = 0
        var lastBeat: Int64 = 0
        /// Since when there was no gap, by true time.
        var chainSince: Int64 = 0
    }
    var pulses = ContiguousArray(repeating: Pulse(), count: 64)
    var highestDrawn: Int64 = 0
    /// When each died.
    var deaths: [Int64: Int64] = [:]
    /// Who was dead until a failover lost the death; what was done because of it, outside the database, stays done.
    var lostDeaths: Set<Int64> = []
    var views: [Int64: Int] = [:]
    var leaders: [Int64: Int64] = [:]
    var term: Int64 = 0
    /// When the schema was made one that older programs cannot read.
    var readersRaisedAt: Int64 = -.max / 2
    var readers = 1
}

extension Judge {
    static let chainGap = 452 * Span.millisecond

    func drew(_ incarnation: Int64) {
        if incarnation <= self.membership.highestDrawn {
            self.broken(.m1, "incarnation \(incarnation) was drawn after \(self.membership.highestDrawn)")
        }
        self.membership.highestDrawn = max(incarnation, self.membership.highestDrawn)
        self.stage.story.tell(.drew(incarnation))
    }

    func joined(slot: Int16, incarnation: Int64) {
        if self.membership.deaths[incarnation] != nil {
            self.broken(.m2, "incarnation \(incarnation) joined after its death")
        }
        self.membership.pulses[Int(slot) - 1] = MembershipBook.Pulse(
            incarnation: incarnation, lastBeat: self.now, chainSince: self.now)
        self.stage.story.tell(.joined(incarnation: incarnation, slot: slot))
    }

    func revived(slot: Int16, incarnation: Int64) {
        self.broken(.m2, "incarnation \(incarnation) in slot \(slot) was dead and is active again")
    }

    func beat(place: Int, incarnation: Int64) {
        let now = self.now
        self.membership.pulses.withUnsafeMutableBufferPointer { pulses in
            if now - pulses[place].lastBeat > Self.chainGap { pulses[place].chainSince = now }
            pulses[place].lastBeat = now
        }
    }

    /// How long the heartbeats of the member in a slot have come without a gap, in nanoseconds.
    func chain(of slot: Slot) -> Int64 {
        self.now - self.membership.pulses[Int(slot.rawValue) - 1].chainSince
    }

    /// A member is about to be declared dead by another.
    ///
    /// - Parameter chain: the accuser's, when the statement looked at it.
    func accused(_ accusation: Accusation, chain: Int64, lockHeld: Bool) {
        let target = self.membership.pulses[Int(accusation.target.rawValue) - 1]
        let silence = self.now - target.lastBeat
        // An accuser's clock may run a tenth too fast.
        let window = (lockHeld ? 5 * Span.second : 500 * Span.millisecond) * 10 / 11 - 2 * Span.millisecond
        if silence < window {
            self.broken(
                .m4,
                "\(accusation.targetIncarnation) was declared dead \(silence / Span.millisecond) ms after a heartbeat"
            )
        }
        if chain < 5 * Span.second - 2 * Span.millisecond, self.now - self.clockSteppedAt > 12 * Span.second {
            self.broken(
                .m4,
                "\(accusation.accuser) accused when its chain was only \(chain / Span.millisecond) ms long")
        }
        if self.now - self.backendKilledAt > 3 * Span.second,
            self.isHealthy(accusation.targetIncarnation.rawValue)
        {
            self.broken(
                .m4,
                "\(accusation.targetIncarnation) lives and nothing was done to it, yet \(accusation.accuser) declared it dead"
            )
        }
        self.stage.coverage.count(lockHeld ? .evictedAfterSilence : .evictedAfterCrash)
        self.stage.story.tell(
            .declaredDead(
                accusation.targetIncarnation.rawValue, by: accusation.accuser.rawValue, lockHeld: lockHeld))
    }

    func accusedByJoiner(_ accusation: Accusation) {
        let target = self.membership.pulses[Int(accusation.target.rawValue) - 1]
        let silence = self.now - target.lastBeat
        if silence < 5 * Span.second * 10 / 11 - 2 * Span.millisecond {
            self.broken(
                .m4,
                "\(accusation.targetIncarnation) was evicted by a joiner \(silence / Span.millisecond) ms after a heartbeat"
            )
        }
        self.stage.coverage.count(.evictedByJoiner)
        self.stage.story.tell(
            .evicted(accusation.targetIncarnation.rawValue, byJoiner: accusation.accuser.rawValue))
    }

    func died(slot: Int16, incarnation: Int64) {
        self.membership.deaths[incarnation] = self.now
        self.stage.story.tell(.died(incarnation, slot: slot))
    }

    func isDead(_ incarnation: Int64) -> Bool { self.membership.deaths[incarnation] != nil }

    /// A view of one version shows the same members and statuses, whoever reads it.
    func viewed(version: Int64, members: ContiguousArray<MemberRow>) {
        var hash: UInt64 = 17
        for row in members where row.status != .absent {
            hash = SeededRandom.mixed(
                hash ^ UInt64(bitPattern: row.incarnation) &* 31 &+ UInt64(row.status.rawValue))
        }
        let shown = Int(truncatingIfNeeded: hash)
        if let known = self.membership.views[version] {
            if known != shown { self.broken(.m3, "version \(version) was read twice with different members") }
        } else {
            self.membership.views[version] = shown
        }
    }
}

extension Judge {
    func led(term: Int64, by incarnation: Int64) {
        if let other = self.membership.leaders[term], other != incarnation {
            self.broken(.m5, "\(other) and \(incarnation) both lead in term \(term)")
        }
        if term <= self.membership.term {
            self.broken(.m5, "term \(term) was taken after term \(self.membership.term)")
        }
        if self.isDead(incarnation) { self.broken(.m5, "\(incarnation) took the lead after its death") }
        self.membership.leaders[term] = incarnation
        self.membership.term = max(term, self.membership.term)
        self.stage.coverage.count(.leaderChanged)
        self.stage.story.tell(.led(incarnation, term: term))
    }

    func leaderWrote(term: Int64, by incarnation: Int64) {
        if term != self.membership.term {
            self.broken(
                .m5, "\(incarnation) wrote as the leader of term \(term) in term \(self.membership.term)")
        }
        if self.isDead(incarnation) { self.broken(.m5, "\(incarnation) wrote as the leader after its death") }
    }
}
