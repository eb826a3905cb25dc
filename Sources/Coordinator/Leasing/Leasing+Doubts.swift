package import ClusterModel

/// What a reading tells of lost answers and of lost leases.
extension Leasing {
    /// The leases that stand of the subjects that were to be read.
    package mutating func read(_ records: [LeaseRecord], at now: ClusterInstant) -> Result {
        guard case .read(let subjects) = self.inFlight else { return Result() }
        self.inFlight = nil
        guard self.state != .dead else { return Result() }
        self.pause = self.limits.pauseMin
        var own: [LeaseSubject: LeaseRecord] = [:]
        for record in records where record.incarnation == self.right.incarnation {
            own[record.title.subject] = record
        }
        var result = Result()
        let asked = Set(subjects)
        self.resolveEnds(asked, own, &result)
        for subject in subjects { self.resolveGrant(of: subject, own[subject], at: now, &result) }
        self.readAgain(after: asked, at: now)
        return result
    }

    /// What is still there was not ended, or not yet; what is gone was ended, or lost before.
    private mutating func resolveEnds(
        _ subjects: Set<LeaseSubject>, _ own: [LeaseSubject: LeaseRecord], _ result: inout Result
    ) {
        var open: [Ending] = []
        for var entry in self.endDoubts {
            guard subjects.contains(entry.title.subject) else {
                open.append(entry)
                continue
            }
            if own[entry.title.subject]?.title.epoch == entry.title.epoch {
                entry.isDoubtful = true
                self.endings.append(entry)
            } else {
                self.table.gone(entry.title)
                if let ticket = entry.ticket { self.reply(ticket, .unknown, &result) }
            }
        }
        self.endDoubts = open
    }

    /// A lease of the own incarnation that is not known to be held is the lost grant.
    ///
    /// When nothing is there, the caller is told; the statement may still run on the server for a while, and what
    /// it then grants is found by a later reading and given back.
    private mutating func resolveGrant(
        of subject: LeaseSubject, _ record: LeaseRecord?, at now: ClusterInstant, _ result: inout Result
    ) {
        guard let doubt = self.grantDoubts[subject] else { return }
        let isKnown = record.map { self.table.holdings[subject]?.epoch == $0.title.epoch } ?? false
        if let record, !isKnown {
            self.grantDoubts[subject] = nil
            if let asked = doubt.asked {
                self.granted(asked, record.title.epoch, leftAt: doubt.leftAt, at: now, &result)
            } else {
                self.table.granted(record.title, voidAt: nil)
                _ = self.ending(record.title, ticket: nil, at: now)
            }
            return
        }
        if let asked = doubt.asked {
            self.reply(asked.ticket, .unknown, &result)
            self.grantDoubts[subject]?.asked = nil
        }
        if now.since(doubt.lostAt) >= self.limits.lateness { self.grantDoubts[subject] = nil }
    }

    private mutating func readAgain(after read: Set<LeaseSubject>, at now: ClusterInstant) {
        guard !self.grantDoubts.isEmpty || !self.endDoubts.isEmpty else { return }
        // Those that were not on this page come at once.
        let isMore = self.grantDoubts.contains { $0.value.asked != nil } || !self.endDoubts.isEmpty
        let pause = max(self.limits.pauseMin, self.limits.lateness / 60)
        let next = isMore ? now : now.advanced(by: pause)
        self.readAt = self.readAt.map { min($0, next) } ?? next
    }

    /// - Parameter losses: in the order of their numbers, the first ones after those that are known.
    package mutating func lossesRead(_ losses: [LeaseLoss]) -> Result {
        guard case .readLosses = self.inFlight else { return Result() }
        self.inFlight = nil
        guard self.state != .dead else { return Result() }
        var result = Result()
        for loss in losses {
            self.lossesKnown = max(self.lossesKnown, loss.number)
            if self.table.gone(loss.title) { result.lost.append(loss.title) }
        }
        // Older ones were forgotten, or nothing can be read of them: never ask for them again.
        if losses.isEmpty { self.lossesKnown = self.lossesAnnounced }
        return result
    }
}
