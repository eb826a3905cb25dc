import ClusterModel
import ClusterPorts
import Coordinator

/// Looks after the shards of one node, and plans for all of them while the node leads; drives `ShardKeeper` and
/// `ShardBalancer`.
final class ShardHand {
    unowned let process: NodeProcess
    private let right: NodeRight
    private var keeper: ShardKeeper
    private let balancer = ShardBalancer()
    /// Work that began and has not written yet.
    private var inHand: [ShardTitle: Int] = [:]
    /// To be told when nothing is in hand any more.
    private var ending: Set<ShardTitle> = []
    private var loads: [ShardNumber: Double] = [:]
    private var isIsolated = false
    private var isReading = false
    private var seen = (changes: -1, view: Int64(-1))
    private var plannedView: Int64 = -1
    private var plannedAt = ClusterInstant.zero

    init(_ process: NodeProcess, _ right: NodeRight) {
        self.process = process
        self.right = right
        self.keeper = ShardKeeper(right.incarnation)
    }

    func begin() {
        self.lookRegularly()
        self.workRegularly()
        self.reportRegularly()
    }

    private var view: ClusterView? { self.process.coordinator?.membership.published }

    // MARK: Looking

    private func lookRegularly() {
        let pause = Int64(1_000 * self.process.world.plan.jobs.slowness)
        self.process.after(.milliseconds(self.process.lots.between(pause * 9 / 10, pause * 11 / 10))) {
            [unowned self] in
            self.look()
            self.plan()
            self.lookRegularly()
        }
    }

    private func look() {
        switch self.process.standing() {
        case .serving, .draining, .stale:
            if self.isIsolated { self.keeper.rejoined() }
            self.isIsolated = false
        case .isolated, .sick, .outside:
            guard !self.isIsolated else { return }
            self.isIsolated = true
            self.seen = (-1, -1)
            return self.perform(self.keeper.isolated())
        }
        self.perform(self.keeper.passed(to: self.process.now))
        guard !self.isReading, let view = self.view else { return }
        // The same rows would tell the same.
        let changes = self.process.world.server.database.tables.shardChanges
        guard self.seen != (changes, view.version) else { return }
        self.isReading = true
        let statement = ReadShardsStatement(of: self.right.incarnation, and: self.keeper.knows)
        self.process.ask(statement) { [unowned self] result in
            self.isReading = false
            guard case .success(let statement) = result else { return }
            let living = Set(view.members.filter { $0.status != .dead }.map(\.incarnation))
            let believed = self.process.twin == .shardTakenFromTheLiving ? [] : living
            let orders = self.keeper.read(statement.records, living: believed, at: self.process.now)
            self.seen =
                orders.isEmpty && !self.keeper.isInDoubt ? (statement.changes, view.version) : (-1, -1)
            self.perform(orders)
        }
    }

    // MARK: Orders

    private func perform(_ orders: [ShardOrder]) {
        var takings: [ShardTaking] = []
        var releases: [ShardTitle] = []
        for order in orders {
            switch order {
            case .take(let number, let epoch): takings.append(ShardTaking(number: number, after: epoch))
            case .release(let title): releases.append(title)
            case .end(let title):
                self.ending.insert(title)
                self.endedIfIdle(title)
            case .begin, .cut: break
            }
        }
        if !takings.isEmpty { self.take(takings) }
        if !releases.isEmpty { self.release(releases) }
    }

    private func endedIfIdle(_ title: ShardTitle) {
        guard self.inHand[title] == nil, self.ending.remove(title) != nil else { return }
        self.perform(self.keeper.ended(title))
    }

    private func take(_ takings: [ShardTaking]) {
        self.process.ask(TakeShardsStatement(takings, self.right)) { [unowned self] result in
            self.seen = (-1, -1)
            switch result {
            case .success(let statement):
                for taking in takings {
                    let epoch = statement.taken.first { $0.number == taking.number }?.epoch
                    self.perform(self.keeper.took(taking.number, epoch))
                }
            case .failure(.mayHaveRun):
                for taking in takings { self.keeper.takingUnknown(taking.number) }
            case .failure:
                for taking in takings { self.perform(self.keeper.took(taking.number, nil)) }
            }
        }
    }

    private func release(_ titles: [ShardTitle]) {
        self.process.ask(OwnShardsStatement(titles, .release, self.right)) { [unowned self] result in
            self.seen = (-1, -1)
            for title in titles {
                if case .success = result {
                    self.keeper.released(title)
                } else {
                    self.keeper.releaseUnknown(title)
                }
            }
        }
    }

    // MARK: Work

    private func workRegularly() {
        let pause = self.process.world.plan.jobs.shardPause
        self.process.after(.nanoseconds(self.process.lots.between(pause / 2, pause * 2))) {
            [unowned self] in
            if let title = self.process.lots.pick(self.keeper.acting),
                self.process.workingRight() == self.right
            {
                self.work(for: title)
            }
            self.workRegularly()
        }
    }

    /// Nobody looks again before the write: it proves the right itself.
    private func work(for title: ShardTitle) {
        self.inHand[title, default: 0] += 1
        let length = Duration.milliseconds(
            self.process.lots.between(1, self.process.lots.chance(100) ? 9_000 : 900))
        self.process.after(length) { [unowned self] in
            self.process.ask(OwnShardsStatement([title], .work, self.right)) { [unowned self] result in
                self.worked(for: title)
                guard case .success(let statement) = result, statement.proven.isEmpty else { return }
                self.process.stage.coverage.count(.shardWriteRefused)
                self.lost(title)
            }
        }
    }

    private func lost(_ title: ShardTitle) {
        self.seen = (-1, -1)
        self.perform(self.keeper.lost(title))
    }

    private func worked(for title: ShardTitle) {
        let left = (self.inHand[title] ?? 1) - 1
        self.inHand[title] = left > 0 ? left : nil
        self.endedIfIdle(title)
    }

    /// Changes now and then, as long as anything does.
    private func load(of number: ShardNumber) -> Double {
        let isChanged = self.process.world.hasJobs && self.process.lots.chance(200)
        let known = isChanged ? nil : self.loads[number]
        let load = known ?? Double(1 + Int(number.rawValue) % 5 * self.process.lots.below(8))
        self.loads[number] = load
        return load
    }

    private func reportRegularly() {
        let pause = max(5 * Span.second, self.process.world.plan.jobs.shardPause)
        self.process.after(.nanoseconds(self.process.lots.between(pause / 2, pause * 2))) {
            [unowned self] in
            let titles = self.keeper.acting
            if !titles.isEmpty, self.process.workingRight() == self.right {
                let loads = titles.map { self.load(of: $0.number) }
                self.process.ask(OwnShardsStatement(titles, .report(loads), self.right)) {
                    [unowned self] result in
                    guard case .success(let statement) = result else { return }
                    let held = Set(statement.proven)
                    for title in titles where !held.contains(title) { self.lost(title) }
                }
            }
            self.reportRegularly()
        }
    }

    // MARK: Planning

    /// Every 5 s, and at once when the view has changed.
    private func plan() {
        guard let view = self.view,
            let leader = self.process.coordinator?.candidacy.leading(at: self.process.now)
        else { return }
        let now = self.process.now
        let isDue = now.since(self.plannedAt) >= ShardRules.standard.round || view.version != self.plannedView
        guard isDue else { return }
        self.plannedAt = now
        self.plannedView = view.version
        self.process.ask(ReadShardsStatement()) { [unowned self] result in
            guard case .success(let statement) = result else {
                self.plannedView = -1
                return
            }
            let moves = self.balancer.plan(statement.records, view: view)
            guard !moves.isEmpty else { return }
            self.process.ask(AssignShardsStatement(moves, leader)) { [unowned self] result in
                if case .failure = result { self.plannedView = -1 }
            }
        }
    }
}
