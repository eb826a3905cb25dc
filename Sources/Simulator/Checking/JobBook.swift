import ClusterModel
import ClusterPorts

/// What the judge knows of jobs.
struct JobBook {
    enum Place: Equatable {
        case ready
        case later
        case waiting
        case claimed(ClaimKey, epoch: Int64)
    }
    struct Open {
        let content: JobContent
        var place: Place
        /// Since when somebody could take it; true time.
        var readySince: Int64 = 0
        /// Attempts that count: those that ended otherwise than given back or postponed.
        var attempts = 0
    }
    /// Those that have not ended.
    var open: [Int64: Open] = [:]
    /// Open jobs of each key, in the order in which they were enqueued.
    var order: [String: [Int64]] = [:]
    var running: [JobScope: Int] = [:]
    var limits: [JobScope: Limit] = [:]
    /// Claims whose end was accepted.
    var accepted: Set<JobTitleOfBook> = []
    /// Epochs by job: given out is given out.
    var highest: [Int64: Int64] = [:]
    var submissions: [SubmissionKey: Int64] = [:]
    /// Enqueued, and told to who asked.
    var acknowledged: Set<Int64> = []
    /// Ended, and a failover lost the end: the holder lives and knows nothing of it.
    var forgotten: Set<JobTitleOfBook> = []
    var enqueued = 0

    struct Limit {
        var slots: Int
        var isSettled: Bool
        /// The highest that a statement may have seen that began before `changedAt`.
        var before: Int
        var changedAt: Int64
    }

    struct JobTitleOfBook: Hashable {
        var job: Int64
        var epoch: Int64
    }
}

extension Judge {
    // MARK: Where a job stands

    func enqueued(_ content: JobContent, _ place: JobBook.Place) {
        let id = content.id
        if self.jobs.open[id] != nil { self.broken(.l1, "job \(id) was enqueued twice") }
        if let key = content.spec.idempotencyKey {
            let submission = SubmissionKey(submitter: content.spec.submitter, key: key)
            if let other = self.jobs.submissions[submission] {
                self.broken(.l6, "\(submission.key) of \(submission.submitter) is job \(other) and job \(id)")
            }
            self.jobs.submissions[submission] = id
        }
        self.jobs.open[id] = JobBook.Open(content: content, place: place, readySince: self.now)
        if let key = content.spec.orderKey { self.jobs.order[key, default: []].append(id) }
        self.jobs.enqueued += 1
        self.stage.coverage.count(.jobEnqueued)
        if place == .waiting { self.stage.coverage.count(.jobWaitedForItsKey) }
        self.stage.story.tell(.enqueued(job: id, content.spec.kind.description, key: content.spec.orderKey))
    }

    /// It is ready, or will be.
    ///
    /// - Parameter counting: an attempt ended that counts.
    func returned(_ content: JobContent, _ place: JobBook.Place, counting: Bool = false) {
        guard self.jobs.open[content.id] != nil else {
            return self.broken(.l1, "job \(content.id) has ended and is \(place)")
        }
        self.jobs.open[content.id]?.place = place
        self.jobs.open[content.id]?.readySince = self.now
        if counting { self.jobs.open[content.id]?.attempts += 1 }
    }

    func revived(_ content: JobContent, _ place: JobBook.Place) {
        if self.jobs.open[content.id] != nil {
            self.broken(.l1, "job \(content.id) was sent back and is open")
        }
        self.jobs.open[content.id] = JobBook.Open(content: content, place: place, readySince: self.now)
        if let key = content.spec.orderKey { self.jobs.order[key, default: []].append(content.id) }
        self.stage.coverage.count(.jobSentBack)
    }

    /// - Parameter since: when the statement began.
    func claimed(_ content: JobContent, _ claim: ClaimRow, by incarnation: Int64, since: Int64) {
        let id = content.id
        guard let open = self.jobs.open[id] else {
            return self.broken(.l1, "job \(id) has ended and was claimed by \(incarnation)")
        }
        if open.place != .ready {
            self.broken(.l1, "job \(id) was claimed by \(incarnation) while it was \(open.place)")
        }
        if claim.attempt != open.attempts + 1 {
            self.broken(
                .l6, "job \(id) was claimed for attempt \(claim.attempt) after \(open.attempts) that count")
        }
        if let highest = self.jobs.highest[id], claim.epoch <= highest {
            self.broken(.l2, "job \(id) was claimed with epoch \(claim.epoch) after \(highest)")
        }
        if self.isDead(incarnation) {
            self.broken(.l4, "\(incarnation) claimed job \(id) after its death")
        }
        if let key = content.spec.orderKey, let first = self.jobs.order[key]?.first, first != id {
            self.broken(.l5, "job \(id) was claimed before job \(first), which goes first under \(key)")
        }
        for scope in content.scopes { self.checkLimit(scope, id, since: since) }
        self.jobs.highest[id] = claim.epoch
        self.jobs.open[id]?.place = .claimed(
            ClaimKey(incarnation: incarnation, job: id), epoch: claim.epoch)
        self.fairness.took(content.lane)
        self.stage.coverage.count(.jobClaimed)
        if claim.isLimited { self.stage.coverage.count(.jobClaimedUnderLimit) }
        if claim.attempt > 1 { self.stage.coverage.count(.jobClaimedAgain) }
        self.stage.story.tell(.claimed(job: id, epoch: claim.epoch & 0xFF_FFFF, by: incarnation))
    }

    private func checkLimit(_ scope: JobScope, _ id: Int64, since: Int64) {
        let running = (self.jobs.running[scope] ?? 0) + 1
        self.jobs.running[scope] = running
        guard let limit = self.jobs.limits[scope], limit.isSettled else { return }
        let most = since <= limit.changedAt ? max(limit.slots, limit.before) : limit.slots
        if running > most {
            self.broken(.l5, "job \(id) is the \(running)th that runs under \(scope), which allows \(most)")
        }
    }

    /// A claim is gone; where its job goes is told by another call.
    private func unclaimed(_ key: ClaimKey, epoch: Int64) -> Bool {
        guard let open = self.jobs.open[key.job], open.place == .claimed(key, epoch: epoch) else {
            return false
        }
        for scope in open.content.scopes { self.jobs.running[scope, default: 0] -= 1 }
        return true
    }

    // MARK: Ends

    func finished(_ key: ClaimKey, epoch: Int64, by incarnation: Int64) {
        let title = JobBook.JobTitleOfBook(job: key.job, epoch: epoch)
        if !self.jobs.accepted.insert(title).inserted {
            self.broken(.l3, "two ends of job \(key.job), epoch \(epoch), were accepted")
        }
        if !self.unclaimed(key, epoch: epoch) {
            self.broken(.l4, "\(incarnation) ended job \(key.job) by epoch \(epoch), which is not current")
        }
        if self.isDead(incarnation) {
            self.broken(.l4, "\(incarnation) ended job \(key.job) after its death")
        }
        self.stage.story.tell(.finished(job: key.job, epoch: epoch & 0xFF_FFFF, by: incarnation))
    }

    func claimSwept(_ key: ClaimKey, epoch: Int64, isOverdue: Bool) {
        let title = JobBook.JobTitleOfBook(job: key.job, epoch: epoch)
        if self.jobs.accepted.contains(title) {
            self.broken(.l3, "job \(key.job), epoch \(epoch), was ended, and there its claim is again")
        }
        if !self.unclaimed(key, epoch: epoch) {
            self.broken(.l4, "the claim of job \(key.job), epoch \(epoch), was swept and is not current")
        }
        self.stage.coverage.count(isOverdue ? .overdueClaimSwept : .claimSwept)
        self.stage.story.tell(.claimTaken(job: key.job, epoch: epoch & 0xFF_FFFF, of: key.incarnation))
    }

    func ended(_ content: JobContent, _ status: OutcomeRow.Status) {
        guard self.jobs.open.removeValue(forKey: content.id) != nil else {
            return self.broken(.l1, "job \(content.id) ended twice")
        }
        if let key = content.spec.orderKey {
            self.jobs.order[key]?.removeAll { $0 == content.id }
            if self.jobs.order[key]?.isEmpty ?? false { self.jobs.order[key] = nil }
        }
        self.stage.coverage.count(status == .done ? .jobDone : .jobFailed)
    }

    func noted(_ key: ClaimKey, epoch: Int64) {
        guard self.jobs.open[key.job]?.place == .claimed(key, epoch: epoch) else {
            return self.broken(
                .l4, "progress of job \(key.job) was noted by epoch \(epoch), which is not current")
        }
        if self.isDead(key.incarnation) {
            self.broken(.l4, "\(key.incarnation) noted progress of job \(key.job) after its death")
        }
        self.stage.coverage.count(.checkpointNoted)
    }

    // MARK: Limits

    func limited(_ scope: JobScope, _ row: PolicyRow?) {
        guard let row, let slots = row.slots else {
            self.jobs.limits[scope] = nil
            return
        }
        let known = self.jobs.limits[scope]
        self.jobs.limits[scope] = JobBook.Limit(
            slots: slots, isSettled: row.isSettled, before: known?.slots ?? .max, changedAt: self.now)
    }

    func settled(_ scope: JobScope) {
        guard self.jobs.limits[scope]?.isSettled == false else { return }
        self.jobs.limits[scope]?.isSettled = true
        self.jobs.limits[scope]?.before = 0
        self.stage.coverage.count(.limitSettled)
    }
}
