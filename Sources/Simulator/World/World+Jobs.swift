import ClusterModel
import ClusterPorts
import Coordinator

/// Clients that submit jobs, operators, and the doorbell.
extension World {
    /// Nobody submits anything in the last part of the calm, and no load changes.
    var hasJobs: Bool { self.stage.now < self.plan.calmFrom + 20 * Span.second }

    func beginJobs() {
        guard self.settings.jobs, self.plan.jobs.pause > 0 else { return }
        self.submitRegularly()
        self.orderRegularly()
        if self.plan.jobs.isCrowded {
            for batch in 0..<10 {
                self.stage.at(Int64(5 + batch) * Span.second) { [unowned self] in
                    self.submit(count: 30, isCrowded: true)
                }
            }
        }
        if self.plan.jobs.redis == .lies { self.ringForNothing() }
        self.stage.at(self.plan.calmFrom + 60 * Span.second) { [unowned self] in self.judgeServed() }
    }

    // MARK: Clients

    private func submitRegularly() {
        let pause = self.plan.jobs.pause
        self.stage.after(self.jobLots.between(pause / 4, pause * 2)) { [unowned self] in
            guard self.hasJobs else { return }
            self.submit(count: 1 + self.jobLots.below(5), isCrowded: false)
            self.submitRegularly()
        }
    }

    private func submit(count: Int, isCrowded: Bool) {
        let specs = (0..<count).compactMap { _ -> JobSpec? in
            self.jobsSubmitted += 1
            return JobMill.spec(self.jobsSubmitted, isCrowded: isCrowded, &self.jobLots)
        }
        self.send(specs, attempt: 0)
    }

    /// Through any node that serves; a lost answer means that those with a key are sent again.
    private func send(_ specs: [JobSpec], attempt: Int) {
        guard let process = self.jobLots.pick(self.servingProcesses), attempt < 6 else { return }
        let answer = ClientAnswer()
        let again: () -> Void = { [unowned self] in
            guard !answer.came else { return }
            answer.came = true
            let keyed = specs.filter { $0.idempotencyKey != nil }
            if !keyed.isEmpty { self.send(keyed, attempt: attempt + 1) }
        }
        process.ask(EnqueueJobsStatement(specs)) { [unowned self] result in
            guard !answer.came else { return }
            switch result {
            case .success:
                answer.came = true
                self.ring(nil)
                process.worker?.rang(nil)
            case .failure: self.stage.after(self.jobLots.between(10, 400) * Span.millisecond, again)
            }
        }
        self.stage.after(8 * Span.second, again)
    }

    private final class ClientAnswer { var came = false }

    private var servingProcesses: [NodeProcess] {
        self.hosts.compactMap(\.process).filter { process in
            guard case .serving = process.standing() else { return false }
            return process.phase == .living
        }
    }

    // MARK: Operators

    private func orderRegularly() {
        let pause = self.plan.jobs.orderPause
        self.stage.after(self.jobLots.between(pause / 4, pause * 2)) { [unowned self] in
            guard self.hasJobs else { return }
            if let process = self.jobLots.pick(self.servingProcesses) { self.giveOrder(process) }
            self.orderRegularly()
        }
    }

    private func giveOrder(_ process: NodeProcess) {
        let jobs = self.server.database.tables.jobs
        switch self.jobLots.below(8) {
        case 0...3 where !self.plan.jobs.isCrowded: self.setLimit(process)
        case 4:
            let open = jobs.jobs.keys.filter { jobs.outcomes[$0] == nil }.sorted()
            if let job = self.jobLots.pick(open) { process.ask(CancelJobsStatement([job])) { _ in } }
        case 5:
            let failed = jobs.outcomes.filter { $0.value.status != .done }.keys.sorted().suffix(5)
            if let job = self.jobLots.pick(Array(failed)) { process.ask(SendBackStatement([job])) { _ in } }
        case 6 where self.settings.shards:
            let node = self.jobLots.chance(600) ? self.jobLots.pick(self.hosts)?.name : nil
            let number = self.jobLots.below(SimulationSettings.shards)
            process.ask(PinShardStatement(number, to: node)) { _ in }
        case 7 where self.settings.shards:
            let members = process.coordinator?.membership.published?.members ?? []
            guard let target = self.jobLots.pick(members)?.incarnation else { return }
            let number = self.jobLots.below(SimulationSettings.shards)
            process.ask(MoveShardStatement(number, to: target)) { _ in }
        default: break
        }
    }

    /// A limit comes into being while a claim that knows of none is in flight.
    func limitBehind(_ claim: ClaimJobsStatement) {
        guard self.hasJobs, !self.plan.jobs.isCrowded, let kind = claim.shares.first?.kind,
            let process = self.jobLots.pick(self.servingProcesses)
        else { return }
        self.stage.coverage.count(.limitMadeBehindClaim)
        self.make(
            JobPolicy(scope: .kind(kind), slots: 1, perNode: nil, weight: 1, requires: [], revision: 0),
            process)
    }

    private func make(_ policy: JobPolicy, _ process: NodeProcess) {
        process.ask(SetPolicyStatement(policy)) { [unowned process] result in
            guard case .success(let statement) = result, statement.isUnsettled else { return }
            process.settleLimits()
        }
    }

    private func setLimit(_ process: NodeProcess) {
        guard let kind = self.jobLots.pick(JobMill.ordered) else { return }
        let scope = self.jobLots.chance(700) ? JobScope.kind(kind) : .account(JobMill.accounts[0])
        if self.server.database.tables.jobs.policies[scope] != nil, self.jobLots.chance(600) {
            return process.ask(RemovePolicyStatement(scope)) { _ in }
        }
        let policy = JobPolicy(
            scope: scope, slots: 1 + self.jobLots.below(3), perNode: nil, weight: 1, requires: [], revision: 0
        )
        self.make(policy, process)
    }

    // MARK: The doorbell

    /// After a commit that made work.
    ///
    /// - Parameter job: what a liar would say of it.
    func ring(_ job: JobTitle?) {
        switch self.plan.jobs.redis {
        case .silent: return
        case .fine: self.deliver(job, within: 3 * Span.millisecond)
        case .lies:
            guard self.jobLots.chance(500) else { return }
            self.deliver(job, within: 2 * Span.second)
            if self.jobLots.chance(300) { self.deliver(job, within: 2 * Span.second) }
        }
    }

    private func deliver(_ job: JobTitle?, within length: Int64) {
        for process in self.hosts.compactMap(\.process) where process.worker != nil {
            let life = process.life
            let at = self.stage.now + self.jobLots.between(Span.millisecond / 5, length)
            self.stage.at(at, in: process) { [unowned process] in
                if process.life == life { process.worker?.rang(job) }
            }
        }
    }

    private func ringForNothing() {
        self.stage.after(self.jobLots.between(Span.second / 2, 20 * Span.second)) { [unowned self] in
            let claims = self.server.database.tables.jobs.claims.sorted { $0.key < $1.key }
            let claim = self.jobLots.pick(claims)
            var title: JobTitle?
            if let claim, let job = JobID(rawValue: claim.key.job),
                let epoch = Epoch(rawValue: claim.value.epoch)
            {
                title = JobTitle(job: job, epoch: epoch)
            }
            self.deliver(title, within: 100 * Span.millisecond)
            self.ringForNothing()
        }
    }

    // MARK: Judging

    /// What is ready is served while nodes have room, whoever rings or does not.
    private func judgeServed() {
        let bound = 20 * Span.second
        let hasRoom = self.hosts.compactMap(\.process).contains { process in
            guard case .serving = process.standing(), let worker = process.worker else { return false }
            return worker.handlers.isEmpty
        }
        guard hasRoom else { return }
        for (id, open) in self.judge.jobs.open.sorted(by: { $0.key < $1.key })
        where open.place == .ready && self.stage.now - open.readySince > bound {
            let isLimited = open.content.scopes.contains { self.judge.jobs.limits[$0] != nil }
            guard !isLimited else { continue }
            return self.judge.notServed(
                id, for: self.stage.now - open.readySince, isRedisSilent: self.plan.jobs.redis != .fine)
        }
    }

    /// L7 of jobs and shards.
    func judgeJobsEnd() {
        if let (id, open) = self.judge.jobs.open.min(by: { $0.key < $1.key }) {
            // What is ready at the end was ready for long: somebody waits for a ring.
            let isUnrung = open.place == .ready && self.plan.jobs.redis != .fine
            self.judge.broken(
                isUnrung ? .d4 : .l7, "job \(id) has not ended at the end: it is \(open.place)")
        }
        let tables = self.server.database.tables
        for (number, row) in tables.shards.enumerated() where self.settings.shards {
            // A hand-off takes what is in hand, and ten seconds at most.
            let isMoving =
                self.server.database.clock - row.movedAt < 20_000_000
                && row.wanted.map { tables.livingSlot(of: $0) != nil } ?? false
            guard !isMoving else { continue }
            guard let owner = row.owner, owner == row.wanted, tables.livingSlot(of: owner) != nil else {
                self.judge.broken(
                    .l7,
                    "shard \(number) is wanted by \(row.wanted ?? 0) and owned by \(row.owner ?? 0) at the end"
                )
                return
            }
        }
    }
}
