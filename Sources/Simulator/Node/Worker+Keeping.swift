import ClusterModel
import ClusterPorts
import Coordinator

/// What keeps the queue going besides claiming: sweeping, staging, watching deadlines; see `JobSweeper`, `JobStager`.
struct Keeping {
    var sweeps = false
    var sweepsAgain = false
    var stages = false
    var stagesAgain = false
    /// Goes up with each look, so that older alarms mean nothing.
    var stageTurn = 0
    var watch = OverdueClaims()
}

extension Worker {
    private static let batch = 100
    private static let tidyEvery: Duration = .seconds(20)

    func keepGoing() {
        self.wantStage()
        self.watchDeadlines()
        self.sweepRegularly()
        self.tidyRegularly()
    }

    // MARK: Tidying

    private func tidyRegularly() {
        self.process.after(Self.tidyEvery) { [unowned self] in
            if let leader = self.process.coordinator?.candidacy.leading(at: self.now) {
                let statement = TidyJobsStatement(
                    kept: self.process.world.plan.jobs.kept, limit: Self.batch, leader)
                self.process.ask(statement) { _ in }
            }
            self.tidyRegularly()
        }
    }

    // MARK: Sweeping

    private func sweepRegularly() {
        self.process.after(.seconds(10)) { [unowned self] in
            if self.process.isLeading || self.process.lots.chance(160) { self.sweepSoon() }
            self.sweepRegularly()
        }
    }

    func sweepSoon() {
        guard self.process.twin != .claimsNobodySweeps, self.process.workingRight() != nil else { return }
        guard !self.keeping.sweeps else {
            self.keeping.sweepsAgain = true
            return
        }
        self.keeping.sweeps = true
        self.process.ask(SweepClaimsStatement(limit: Self.batch, self.right)) { [unowned self] result in
            guard case .success(let statement) = result else { return self.swept(0) }
            self.stageKeys(statement.waitingKeys) { worker in
                if statement.ready > 0 { worker.process.world.ring(nil) }
                guard statement.isUnsettled else { return worker.swept(statement.ready + statement.failed) }
                worker.process.settleLimits { [unowned worker] in
                    worker.swept(statement.ready + statement.failed)
                }
            }
        }
    }

    private func swept(_ count: Int) {
        self.keeping.sweeps = false
        guard count >= Self.batch || self.keeping.sweepsAgain else { return }
        self.keeping.sweepsAgain = false
        self.sweepSoon()
    }

    // MARK: Staging

    /// Lets the next ones of keys through, right after the statement that moved their heads.
    func stageKeys(_ keys: [String], then: @escaping (Worker) -> Void) {
        guard !keys.isEmpty, self.process.twin != .headsNobodyStages else { return then(self) }
        self.process.ask(StageJobsStatement(keys: keys, self.right)) { [unowned self] _ in then(self) }
    }

    func wantStage() {
        guard !self.keeping.stages else {
            self.keeping.stagesAgain = true
            return
        }
        guard self.process.workingRight() != nil else { return self.stageAgain(after: .seconds(2)) }
        self.keeping.stages = true
        self.process.ask(StageJobsStatement(limit: Self.batch, self.right)) { [unowned self] result in
            self.keeping.stages = false
            var next: Duration = .seconds(2)
            if case .success(let statement) = result {
                if statement.ready > 0 { self.process.world.ring(nil) }
                next = self.nextStage(statement)
            }
            if self.keeping.stagesAgain { next = .milliseconds(1) }
            self.keeping.stagesAgain = false
            self.stageAgain(after: next)
        }
    }

    private func nextStage(_ statement: StageJobsStatement) -> Duration {
        guard self.process.isLeading || self.process.isLeaderless else { return .seconds(20) }
        guard let nextIn = statement.nextIn(self.process.world.server.database) else { return .seconds(2) }
        return min(.seconds(2), max(.milliseconds(10), nextIn))
    }

    private func stageAgain(after pause: Duration) {
        self.keeping.stageTurn += 1
        let turn = self.keeping.stageTurn
        self.process.after(pause) { [unowned self] in
            if turn == self.keeping.stageTurn { self.wantStage() }
        }
    }

    // MARK: Deadlines

    private func watchDeadlines() {
        guard self.process.isLeading, self.process.workingRight() != nil else {
            if self.keeping.watch.count > 0 { self.keeping.watch = OverdueClaims() }
            return self.watchAgain()
        }
        let statement = ClaimDeadlinesStatement(
            after: self.keeping.watch.after, limit: OverdueClaims.pageLimit)
        self.process.ask(statement) { [unowned self] result in
            guard case .success(let statement) = result else { return self.watchAgain() }
            let overdue = self.keeping.watch.looked(at: statement.claims, now: self.now)
            guard !overdue.isEmpty else { return self.watchAgain() }
            self.process.ask(SweepOverdueStatement(overdue, self.right)) { [unowned self] result in
                if case .success(let statement) = result {
                    self.stageKeys(statement.waitingKeys) { worker in worker.process.world.ring(nil) }
                }
                self.watchAgain()
            }
        }
    }

    private func watchAgain() {
        let idle = Duration.seconds(self.process.isLeading ? 2 : 2 * self.process.world.plan.jobs.slowness)
        let pause: Duration = self.keeping.watch.count > 0 ? .milliseconds(250) : idle
        self.process.after(pause) { [unowned self] in self.watchDeadlines() }
    }
}

extension NodeProcess {
    var isLeading: Bool { self.coordinator?.candidacy.leading(at: self.now) != nil }
    var isLeaderless: Bool { self.coordinator?.membership.published?.livingLeader == nil }

    /// Both statements of `settleLimits`; when it fails, a sweeper does it.
    func settleLimits(then: @escaping () -> Void = {}) {
        self.ask(PassClaimGateStatement()) { [unowned self] result in
            guard case .success = result else { return then() }
            self.ask(SettleLimitsStatement()) { _ in then() }
        }
    }
}
