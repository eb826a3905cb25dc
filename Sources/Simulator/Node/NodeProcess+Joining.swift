import ClusterModel
import Coordinator

/// Where a joining process is; see `ClusterRuntime.liveOnce` and `Joiner`.
struct JoinerState {
    var isWaitingForLines = false
    var startedAt = ClusterInstant.zero
    var watch = JoinerWatch()
    var attempts = 0
    var draws = 0
}

extension NodeProcess {
    func start() { self.breathe { [unowned self] in self.migrate() } }

    /// Once for each process: a new incarnation of the same program needs no other schema.
    private func migrate() {
        self.ask(ViewStatement()) { [unowned self] result in
            guard case .success(let view) = result else { return self.fail("the database is not there") }
            let found = view.cluster.schemaVersion
            guard found < self.schema else {
                guard view.cluster.minReaderVersion <= self.schema || self.twin == .readerUnchecked else {
                    self.stage.coverage.count(.oldProgramRefused)
                    return self.fail("the schema is for newer programs only")
                }
                return self.beginLife()
            }
            let isForNewOnly = self.world.schemasForNewOnly.contains(found + 1)
            let step = MigrateStatement(from: found, minReaderVersion: isForNewOnly ? found + 1 : found)
            self.ask(step) { [unowned self] result in
                guard case .failure(.refused) = result else { return self.migrate() }
                self.fail("the schema could not be migrated")
            }
        }
    }

    /// Why a process gives up at its first start, or tries again later.
    private func fail(_ reason: String) {
        self.world.mount.removeStaging(of: self.incarnation?.rawValue)
        guard self.everJoined else { return self.host.exited(reason: reason) }
        self.endLife()
        self.after(.seconds(1)) { [unowned self] in self.beginLife() }
    }

    func beginLife() {
        self.phase = .joining
        self.incarnation = nil
        self.joiner = JoinerState()
        self.draw()
    }

    // MARK: The incarnation

    private func draw() {
        self.joiner.draws += 1
        guard self.joiner.draws <= 5 else { return self.fail("five incarnations in a row had been used") }
        guard self.world.mount.isInOrder(for: self.host) else {
            return self.fail("the mount is out of order")
        }
        let floor = self.world.mount.highestIncarnation
        self.ask(NextIncarnationStatement(above: floor)) { [unowned self] result in
            guard case .success(let statement) = result else { return self.fail("the database is not there") }
            guard self.world.mount.note(statement.incarnation) else { return self.draw() }
            self.incarnation = Incarnation(rawValue: statement.incarnation)
            self.joiner.isWaitingForLines = true
            self.joiner.startedAt = self.now
            self.openLines()
            self.impatience()
        }
    }

    /// Ten seconds for the lines at the first start; later for as long as it takes.
    private func impatience() {
        guard !self.everJoined else { return }
        self.after(.seconds(10)) { [unowned self] in
            guard self.joiner.isWaitingForLines else { return }
            self.fail("the database is not there")
        }
    }

    /// The lock comes before the slot.
    func lineOpened() {
        guard self.joiner.isWaitingForLines, self.beating.everOpened, self.holding.everOpened else { return }
        self.joiner.isWaitingForLines = false
        self.joiner.startedAt = self.now
        self.takeSlot()
    }

    // MARK: The slot

    private func takeSlot() {
        self.joiner.attempts = 0
        self.attempt(sentAt: self.now)
    }

    private func attempt(sentAt: ClusterInstant) {
        guard let incarnation = self.incarnation else { return }
        guard self.joiner.attempts < 40 else { return self.fail("others joined faster") }
        let profile = MemberProfile(
            name: self.host.name, addresses: NodeAddresses(host: "host", filesPort: 8080, adminPort: 8081),
            version: "simulated", attributes: ["zone": self.host.index % 2 == 0 ? "0" : "1"])
        let statement = JoinStatement(
            incarnation: incarnation.rawValue, profile: profile, capacity: 100,
            spread: 1 << min(self.joiner.attempts, 10), schema: self.schema)
        self.joiner.attempts += 1
        self.ask(statement) { [unowned self] result in
            switch result {
            case .success(let statement): self.judge(statement.verdict, sentAt: sentAt)
            case .failure(.refused("23505")): self.attempt(sentAt: sentAt)
            case .failure(.mayHaveRun): self.lookWhetherJoined(sentAt: sentAt)
            case .failure: self.fail("the database is not there")
            }
        }
    }

    /// A lost answer is looked up, not repeated (R2); who still does not know draws another incarnation.
    private func lookWhetherJoined(sentAt: ClusterInstant) {
        self.ask(ViewStatement()) { [unowned self] result in
            guard case .success(let statement) = result else { return self.fail("the database is not there") }
            if let own = statement.living({ $0.incarnation == self.incarnation?.rawValue }).first {
                return self.joined(own.slot, own.name, sentAt: sentAt)
            }
            self.fail("nobody knows whether it has joined")
        }
    }

    private func judge(_ verdict: JoinStatement.Verdict, sentAt: ClusterInstant) {
        switch verdict {
        case .joined(let slot, let name): self.joined(Slot(slot), name, sentAt: sentAt)
        case .lost: self.attempt(sentAt: sentAt)
        case .tooOld:
            self.stage.coverage.count(.oldProgramRefused)
            self.fail("the schema is for newer programs only")
        case .departed: self.fail("the incarnation has departed")
        case .blocked: self.fail("no free name")
        case .nameTaken, .full: self.lookWhoIsInTheWay(verdict, sentAt: sentAt)
        }
    }

    private func lookWhoIsInTheWay(_ verdict: JoinStatement.Verdict, sentAt: ClusterInstant) {
        self.stage.coverage.count(.nameRefused)
        self.ask(ViewStatement()) { [unowned self] result in
            guard case .success(let statement) = result else { return self.fail("the database is not there") }
            let inTheWay = statement.living { verdict != .nameTaken || $0.name == self.host.name }
            guard !inTheWay.isEmpty else { return self.attempt(sentAt: sentAt) }
            let now = self.now
            switch self.joiner.watch.look(at: inTheWay, now: now) {
            case .giveUp: self.fail("whoever is in the way lives")
            case .wait: self.lookAgain(now)
            case .accuse(let stood): self.accuse(stood, next: 0, now)
            }
        }
    }

    private func lookAgain(_ now: ClusterInstant) {
        guard now.since(self.joiner.startedAt) < .seconds(15) else {
            return self.fail("somebody is in the way")
        }
        self.after(.milliseconds(250)) { [unowned self] in
            self.joiner.attempts = 0
            self.attempt(sentAt: self.now)
        }
    }

    private func accuse(_ stood: [JoinerWatch.Stood], next: Int, _ now: ClusterInstant) {
        guard next < stood.count, let incarnation = self.incarnation else { return self.lookAgain(now) }
        let other = stood[next]
        let accusation = Accusation(
            accuserSlot: Slot(0), accuser: incarnation, target: other.slot,
            targetIncarnation: other.incarnation,
            heartbeats: other.heartbeats, watched: other.watched)
        self.ask(JoinerAccuseStatement(accusation)) { [unowned self] result in
            guard case .success = result else { return self.fail("the database is not there") }
            self.accuse(stood, next: next + 1, now)
        }
    }

    // MARK: Living

    private func joined(_ slot: Slot, _ name: NodeName, sentAt: ClusterInstant) {
        guard let incarnation = self.incarnation else { return }
        let right = NodeRight(slot: slot, incarnation: incarnation, name: name)
        self.right = right
        self.everJoined = true
        self.host.hasJoined()
        self.phase = .living
        self.livingSince = self.stage.now
        self.board.knowledge = StandingRule.Knowledge(
            right: right, status: .active, configVersion: ConfigVersion(0), acknowledged: sentAt)
        self.coordinator = Coordinator(right: right, joinedAt: self.now, times: self.times)
        self.beating.nextAt = self.now
        if self.beating.session != 0 { self.stage.add(.beatDue, at: self.stage.now, process: self) }
        self.beginWork(right)
    }

    /// Says good-bye; the process ends when the database has answered, or does not.
    func leave(restartAfter length: Int64) {
        guard self.phase == .living, let right = self.right else {
            self.host.kill(isSilent: false)
            return self.host.restart(after: length)
        }
        self.phase = .leaving
        self.board = Board()
        let statement = LeaveStatement(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
        self.ask(statement) { [unowned self] result in
            if case .success = result { self.stage.coverage.count(.left) }
            let host = self.host
            host.kill(isSilent: false)
            host.restart(after: length)
        }
    }
}
