import ClusterModel
import ClusterPorts
import Coordinator

/// Claims jobs, works on them for a while, and ends them; drives `Claiming` and `JobEndings` as `JobRunner` does.
final class Worker {
    unowned let process: NodeProcess
    let right: NodeRight
    var claiming: Claiming
    var endings = JobEndings()
    /// Handlers that have not returned; true when they were told to stop.
    var handlers: [JobTitle: Bool] = [:]
    var isIsolated = false
    var isDead = false
    private var viewVersion: Int64 = -1
    private var wokeAt: ClusterInstant?
    private var endingsWokeAt: ClusterInstant?
    private var news: Int64 = -1
    private var wasServing = false
    private var lossesRead: Int64 = 0
    private var turns = 0
    private var readsLosses = false
    /// For the twin that looks only when somebody rang.
    private var hasRung = false
    var keeping = Keeping()

    init(_ process: NodeProcess, _ right: NodeRight) {
        self.process = process
        self.right = right
        var settings = Claiming.Settings(kinds: JobMill.kinds)
        settings.capacity = process.world.plan.jobs.capacity
        settings.reviewEvery = .seconds(12)
        settings.idleEvery = .seconds(5 * process.world.plan.jobs.slowness)
        settings.lookEvery = .milliseconds(150 + 100 * process.world.plan.jobs.slowness)
        settings.fairness.patience =
            process.twin == .debtForEver ? .seconds(1_000_000) : .nanoseconds(SimulationSettings.patience)
        self.claiming = Claiming(slot: right.slot, settings: settings)
    }

    var stage: Stage { self.process.stage }
    var now: ClusterInstant { self.process.now }

    func begin() {
        self.watchIsolation()
        self.keepGoing()
        self.drive()
    }

    // MARK: Hearing

    /// The runtime judges its standing every 200 ms; here when it can have changed.
    private func watchIsolation() {
        self.process.after(self.process.times.isolatedAfter) { [unowned self] in
            self.turns += 1
            if case .isolated = self.process.standing(), !self.isIsolated {
                self.drive()
            } else if self.turns % 3 == 0 {
                // It may be time to look at what is held.
                self.drive()
            }
            self.watchIsolation()
        }
    }

    /// A heartbeat was answered.
    func heard(_ news: HeartbeatNews) {
        if news.leaseLosses > self.lossesRead { self.readLosses() }
        let isServing = news.status == .active && !self.isIsolated && self.process.board.mountTrouble == nil
        guard news.jobNews != self.news || isServing != self.wasServing else { return }
        self.wasServing = isServing
        if news.jobNews != self.news, self.process.isLeading { self.wantStage() }
        self.news = news.jobNews
        self.drive()
        self.driveEndings()
    }

    /// A doorbell; what it says besides is not to be believed.
    func rang(_ job: JobTitle?) {
        guard !self.isDead else { return }
        let before = (self.claiming.held, self.endings)
        if self.process.twin == .ringsBelieved, let job, self.claiming.held.lost(job) {
            self.endings.lost(job)
            self.cancel([job])
        }
        self.hasRung = true
        self.claiming.rang()
        let isChanged = before.0 != self.claiming.held || before.1 != self.endings
        self.process.world.judge.heardRing(changed: isChanged, by: self.right.incarnation.rawValue)
        self.drive()
    }

    /// Nil where the node may do nothing.
    private func follow() -> Bool {
        guard !self.isDead else { return false }
        switch self.process.standing() {
        case .serving:
            self.isIsolated = false
            self.claiming.roleChanged(.claims)
        case .draining, .stale, .sick:
            self.isIsolated = false
            self.claiming.roleChanged(.holds)
        case .isolated:
            self.isIsolated = true
            self.claiming.roleChanged(.holds)
            self.cancel(self.claiming.held.interruptedAll(reason: "isolated"))
        case .outside: return false
        }
        if let view = self.process.coordinator?.membership.published, view.version != self.viewVersion {
            self.viewVersion = view.version
            self.claiming.viewChanged(view)
        }
        return true
    }

    // MARK: Claiming

    func drive() {
        guard self.follow(), !self.isIsolated else { return }
        let now = self.now
        if self.process.twin == .ringsAwaited {
            guard self.hasRung || self.claiming.isAsking else { return }
        } else {
            self.claiming.newsHeard(self.news, at: now)
        }
        var next = self.claiming.next(at: now, endingsWaiting: self.endings.count)
        if !self.handlers.isEmpty {
            self.cancel(self.claiming.held.overdue(at: now))
            if let at = self.claiming.held.nextOverdueAt { next.wakeAt = min(next.wakeAt ?? at, at) }
        }
        self.wake(at: next.wakeAt)
        switch next.order {
        case .survey(let after, let lanes, let depth)?:
            self.ask(SurveyStatement(after: after, lanes: lanes, depth: depth)) { worker, statement in
                worker.claiming.surveyed(statement.backlog, at: worker.now)
                if statement.backlog.isEmpty { worker.hasRung = false }
            }
        case .claim(let shares)?: self.claim(shares)
        case .readClaims?:
            self.ask(ClaimsStatement(of: self.right)) { worker, statement in
                worker.claimsRead(statement.claims)
            }
        case nil: break
        }
    }

    private func wake(at moment: ClusterInstant?) {
        guard let moment else { return }
        let now = self.now
        if let set = self.wokeAt, now < set, set <= moment { return }
        self.wokeAt = moment
        self.process.after(max(.milliseconds(1), moment.since(now))) { [unowned self] in
            guard self.wokeAt == moment else { return }
            self.wokeAt = nil
            self.drive()
        }
    }

    private func ask<Kind: Statement>(_ statement: Kind, _ answered: @escaping (Worker, Kind) -> Void) {
        self.process.ask(statement) { [unowned self] result in
            switch result {
            case .success(let statement): answered(self, statement)
            case .failure(.notRun), .failure(.refused): self.claiming.failed(.notRun, at: self.now)
            case .failure(.mayHaveRun): self.claiming.failed(.mayHaveRun, at: self.now)
            }
            self.drive()
        }
    }

    /// A claim that meets a limit is sent again as one that takes slots; see `PostgresStore.claim`.
    private func claim(_ shares: [LaneShare], attempt: Int = 0, isLimited: Bool = false) {
        let statement = ClaimJobsStatement(
            shares, self.right, isLimited: isLimited, attempt: max(0, attempt - 1))
        self.process.ask(statement) { [unowned self] result in
            switch result {
            case .success(let statement):
                let isAgain = statement.isActive && (statement.isStale || statement.meetsLimits)
                if statement.isStale { self.stage.coverage.count(.claimFoundStale) }
                guard isAgain else {
                    return self.begin(statement.isRightful ? statement.jobs : nil)
                }
                if attempt < 3 {
                    return self.claim(shares, attempt: attempt + 1, isLimited: statement.meetsLimits)
                }
                guard statement.isStale else { return self.begin([]) }
                self.process.ask(RaiseLimitNumberStatement()) { [unowned self] result in
                    self.claimed(result.map { _ in })
                }
            case .failure(let trouble): self.claimed(.failure(trouble))
            }
        }
    }

    private func claimed(_ result: Result<Void, Trouble>) {
        switch result {
        case .success: return self.begin([])
        case .failure(.mayHaveRun): self.claiming.failed(.mayHaveRun, at: self.now)
        case .failure: self.claiming.failed(.notRun, at: self.now)
        }
        self.drive()
    }

    private func claimsRead(_ claims: [ClaimedJob]) {
        for job in self.claiming.claimsRead(claims, at: self.now) {
            self.stage.coverage.count(.lostGrantGivenBack)
            let end = JobEnd.givenBack(reason: "its holder did not know of the claim")
            self.endings.ended(JobEnding(title: job.title, end: end))
        }
        self.driveEndings()
    }

    // MARK: Ending

    func driveEndings() {
        guard self.follow(), !self.isIsolated else { return }
        let next = self.endings.next(at: self.now)
        self.wakeEndings(at: next.wakeAt)
        switch next.order {
        case .finish(let endings)?: self.finish(endings)
        case .readClaims?:
            self.askEndings(ClaimsStatement(of: self.right)) { worker, statement in
                for ending in worker.endings.claimsRead(Set(statement.claims.map(\.title))) {
                    worker.claiming.settled(ending.title)
                }
                worker.wantStage()
            }
        case nil: break
        }
    }

    private func wakeEndings(at moment: ClusterInstant?) {
        guard let moment else { return }
        let now = self.now
        if let set = self.endingsWokeAt, now < set, set <= moment { return }
        self.endingsWokeAt = moment
        self.process.after(max(.milliseconds(1), moment.since(now))) { [unowned self] in
            guard self.endingsWokeAt == moment else { return }
            self.endingsWokeAt = nil
            self.driveEndings()
        }
    }

    private func askEndings<Kind: Statement>(
        _ statement: Kind, _ answered: @escaping (Worker, Kind) -> Void
    ) {
        self.process.ask(statement) { [unowned self] result in
            switch result {
            case .success(let statement): answered(self, statement)
            case .failure(.notRun): self.endings.failed(.notRun, at: self.now)
            case .failure(.refused(let state)): self.endings.failed(.refused(state), at: self.now)
            case .failure(.mayHaveRun): self.endings.failed(.mayHaveRun, at: self.now)
            }
            self.driveEndings()
            self.drive()
        }
    }

    private func finish(_ endings: [JobEnding]) {
        self.process.ask(FinishJobsStatement(endings, self.right)) { [unowned self] result in
            switch result {
            case .success(let statement):
                // The next one of the key, before the answer is heard; if it fails, whoever stages next does it.
                self.stageKeys(statement.waitingKeys) { worker in
                    worker.finished(statement.answers)
                    worker.driveEndings()
                    worker.drive()
                }
                return
            case .failure(.notRun): self.endings.failed(.notRun, at: self.now)
            case .failure(.refused(let state)): self.endings.failed(.refused(state), at: self.now)
            case .failure(.mayHaveRun): self.endings.failed(.mayHaveRun, at: self.now)
            }
            self.driveEndings()
            self.drive()
        }
    }

    private func finished(_ answers: [JobEndAnswer]) {
        var rings = false
        for (ending, answer) in self.endings.finished(answers) {
            self.claiming.settled(ending.title)
            switch (answer, ending.end) {
            case (.fenced, _): self.stage.coverage.count(.endFenced)
            case (.accepted, .givenBack): rings = true
            case (.accepted, _), (.acceptedAsFailed, _): break
            }
        }
        if rings { self.process.world.ring(nil) }
    }

    // MARK: Losses

    private func readLosses() {
        guard !self.readsLosses, !self.isIsolated else { return }
        self.readsLosses = true
        let statement = LossesStatement(of: self.right.incarnation.rawValue, after: self.lossesRead)
        self.process.ask(statement) { [unowned self] result in
            self.readsLosses = false
            guard case .success(let statement) = result else { return }
            self.lossesRead = max(self.lossesRead, statement.losses.map(\.number).max() ?? self.lossesRead)
            self.lose(
                statement.losses.compactMap { loss in
                    guard loss.title.subject.kind.description == "job",
                        let job = Int64(loss.title.subject.id).flatMap({ JobID(rawValue: $0) })
                    else { return nil }
                    return JobTitle(job: job, epoch: loss.title.epoch)
                })
        }
    }

    func lose(_ titles: [JobTitle]) {
        for title in titles { self.endings.lost(title) }
        self.cancel(titles.filter { self.claiming.held.lost($0) })
        self.drive()
    }
}
