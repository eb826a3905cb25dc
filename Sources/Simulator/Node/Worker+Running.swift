import ClusterModel
import ClusterPorts
import Coordinator

/// The handlers: work that takes a while, ends in one way or another, and notes how far it is.
extension Worker {
    /// Nil: the incarnation is dead.
    func begin(_ jobs: [ClaimedJob]?) {
        self.claiming.claimed(jobs)
        guard let jobs else {
            self.isDead = true
            self.endings.died()
            return self.cancel(self.claiming.held.lostAll())
        }
        let isWelcome = !self.isDraining
        for job in jobs {
            if isWelcome {
                self.run(job)
            } else if let end = self.claiming.held.returned(job.title, .givenBack(reason: "draining")) {
                self.stage.coverage.count(.workGivenBackWhileDraining)
                self.endings.ended(JobEnding(title: job.title, end: end))
            }
        }
        self.process.world.judge.works(
            self.handlers.count, on: self.process.host.index, of: self.claiming.settings.capacity)
        if !isWelcome { self.driveEndings() }
        self.drive()
    }

    var isDraining: Bool {
        switch self.process.standing() {
        case .serving, .stale: false
        case .draining, .isolated, .sick, .outside: true
        }
    }

    private func run(_ job: ClaimedJob) {
        self.handlers[job.title] = false
        // What is left when nothing more comes is quick, so that two survivors can do it too.
        let length =
            self.process.world.hasJobs
            ? JobMill.length(of: job, &self.process.lots) : .milliseconds(self.process.lots.between(5, 40))
        guard length > .milliseconds(2_000), self.process.lots.chance(500) else {
            return self.process.after(length) { [unowned self] in self.end(job) }
        }
        self.process.after(length * 0.5) { [unowned self] in
            self.note(job) { worker in
                worker.process.after(length * 0.5) { [unowned worker] in worker.end(job) }
            }
        }
    }

    /// A long job says how far it is, and stops there when its node drains.
    private func note(_ job: ClaimedJob, then: @escaping (Worker) -> Void) {
        guard self.handlers[job.title] == false,
            self.claiming.held.isHeld(job.title, at: self.now), self.process.workingRight() == self.right
        else { return then(self) }
        self.process.ask(NoteProgressStatement("half", of: job.title, self.right)) { [unowned self] result in
            if case .success(let statement) = result, !statement.isHeld { self.lose([job.title]) }
            guard self.isDraining else { return then(self) }
            self.stage.coverage.count(.workGivenBackWhileDraining)
            self.returned(job.title, .givenBack(reason: "at its checkpoint"))
        }
    }

    private func end(_ job: ClaimedJob) { self.returned(job.title, JobMill.end(of: job, &self.process.lots)) }

    private func returned(_ title: JobTitle, _ end: JobEnd) {
        guard self.handlers.removeValue(forKey: title) != nil else { return }
        if let end = self.claiming.held.returned(title, end) {
            self.endings.ended(JobEnding(title: title, end: end))
        }
        self.driveEndings()
        self.drive()
    }

    /// Handlers heed it after a moment.
    func cancel(_ titles: [JobTitle]) {
        for title in titles.sorted(by: { ($0.job, $0.epoch) < ($1.job, $1.epoch) })
        where self.handlers[title] == false {
            self.handlers[title] = true
            self.process.after(.milliseconds(self.process.lots.between(1, 40))) { [unowned self] in
                self.returned(title, .retry(after: .milliseconds(100), reason: "cancelled"))
            }
        }
    }
}
