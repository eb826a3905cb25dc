package import ClusterModel

/// What came of the order in flight.
extension Leasing {
    /// - Parameter answers: in the order of the requests.
    package mutating func acquired(_ answers: [LeaseAnswer], at now: ClusterInstant) -> Result {
        guard case .acquire(let entries, let leftAt) = self.inFlight else { return Result() }
        guard entries.count == answers.count else {
            return self.failed(.mayHaveRun("\(answers.count) answers to \(entries.count) requests"), at: now)
        }
        guard self.state != .dead, !answers.contains(.fenced) else { return self.fenced() }
        self.answered()
        var result = Result()
        for (entry, answer) in zip(entries, answers) {
            switch answer {
            case .granted(let epoch): self.granted(entry, epoch, leftAt: leftAt, at: now, &result)
            case .taken, .outOfOrder, .limited, .fenced: self.reply(entry.ticket, .denied(answer), &result)
            }
        }
        return result
    }

    /// - Parameter answers: in the order of the titles.
    package mutating func ended(_ answers: [Bool], at now: ClusterInstant) -> Result {
        guard case .end(let entries) = self.inFlight else { return Result() }
        guard entries.count == answers.count else {
            return self.failed(.mayHaveRun("\(answers.count) answers to \(entries.count) titles"), at: now)
        }
        self.answered()
        var result = Result()
        for (entry, ended) in zip(entries, answers) {
            self.table.gone(entry.title)
            guard let ticket = entry.ticket else { continue }
            // When an answer was lost before, that statement may have been the one that ended it.
            self.reply(ticket, ended || !entry.isDoubtful ? .ended(ended) : .unknown, &result)
        }
        return result
    }

    package mutating func failed(_ failure: Failure, at now: ClusterInstant) -> Result {
        guard let inFlight = self.inFlight else { return Result() }
        self.inFlight = nil
        guard self.state != .dead else { return Result() }
        switch inFlight {
        case .acquire(let entries, let leftAt):
            return self.acquireFailed(entries, failure, leftAt: leftAt, at: now)
        case .end(let entries): return self.endFailed(entries, failure, at: now)
        case .read:
            self.readAt = self.later(than: now)
            return self.impatient(at: now)
        case .readLosses:
            self.lossesAt = self.later(than: now)
            return Result()
        }
    }

    /// The store says that the incarnation lives no more.
    package mutating func fenced() -> Result {
        let result = self.died()
        self.inFlight = nil
        return result
    }

    // MARK: Parts

    /// A grant that nobody waits for is given back.
    mutating func granted(
        _ entry: Asked, _ epoch: Epoch, leftAt: ClusterInstant, at now: ClusterInstant, _ result: inout Result
    ) {
        let title = LeaseTitle(subject: entry.request.subject, epoch: epoch)
        self.table.granted(title, voidAt: entry.request.deadline.map { leftAt.advanced(by: $0) })
        if self.abandoned.remove(entry.ticket) != nil {
            _ = self.ending(title, ticket: nil, at: now)
        } else if self.state == .stopping {
            _ = self.ending(title, ticket: nil, at: now)
            self.reply(entry.ticket, .stopping, &result)
        } else {
            self.reply(entry.ticket, .granted(title), &result)
        }
    }

    private mutating func answered() {
        self.inFlight = nil
        self.pause = self.limits.pauseMin
        self.endsAt = nil
        self.width = min(self.limits.batch, self.width * 2)
    }

    private mutating func acquireFailed(
        _ entries: [Asked], _ failure: Failure, leftAt: ClusterInstant, at now: ClusterInstant
    ) -> Result {
        var result = Result()
        switch failure {
        case .notRun, .refused:
            for entry in entries { self.reply(entry.ticket, .failed(failure), &result) }
        case .mayHaveRun:
            for entry in entries {
                self.grantDoubts[entry.request.subject] = GrantDoubt(
                    asked: entry, leftAt: leftAt, lostAt: now)
            }
            self.readAt = now
        case .circle:
            // Alone it goes through as a rule: those with whom it made the circle go on.
            self.width = max(1, entries.count / 2)
            let tried = entries.map {
                Asked(ticket: $0.ticket, request: $0.request, attempts: $0.attempts + 1)
            }
            let isLast = entries.count == 1 && tried[0].attempts >= self.limits.attempts
            if isLast {
                self.reply(entries[0].ticket, .failed(failure), &result)
            } else {
                let counted = entries.count == 1 ? tried : entries
                self.asking.insert(contentsOf: counted, at: 0)
            }
        }
        return result
    }

    /// An end goes on until it is answered, whoever waits for it: the lease would stay otherwise.
    private mutating func endFailed(_ entries: [Ending], _ failure: Failure, at now: ClusterInstant) -> Result
    {
        switch failure {
        case .notRun, .refused:
            self.endings.insert(contentsOf: entries, at: 0)
            self.endsAt = self.later(than: now)
        case .mayHaveRun:
            self.endDoubts += entries
            self.readAt = now
        case .circle:
            self.width = max(1, entries.count / 2)
            self.endings.insert(contentsOf: entries, at: 0)
            self.endsAt = self.later(than: now)
        }
        return self.impatient(at: now)
    }

    mutating func later(than now: ClusterInstant) -> ClusterInstant {
        let pause = self.pause
        self.pause = min(self.limits.pauseMax, pause * 2)
        return now.advanced(by: pause)
    }

    /// Tells those who waited for long; what they wanted goes on without them.
    private mutating func impatient(at now: ClusterInstant) -> Result {
        var result = Result()
        func tell(_ endings: inout [Ending], _ line: inout Leasing) {
            for index in endings.indices {
                guard let ticket = endings[index].ticket,
                    now.since(endings[index].since) >= line.limits.patience
                else { continue }
                endings[index].ticket = nil
                line.reply(ticket, .unknown, &result)
            }
        }
        var endings = self.endings
        var doubts = self.endDoubts
        tell(&endings, &self)
        tell(&doubts, &self)
        self.endings = endings
        self.endDoubts = doubts
        for (subject, doubt) in self.grantDoubts where now.since(doubt.lostAt) >= self.limits.patience {
            guard let asked = doubt.asked else { continue }
            self.grantDoubts[subject]?.asked = nil
            self.reply(asked.ticket, .unknown, &result)
        }
        return result
    }
}
