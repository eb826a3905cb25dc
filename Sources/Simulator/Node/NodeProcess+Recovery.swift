import ClusterModel
import Coordinator

/// Clearing what the dead left; see `Recovery` and `Clearance` of FileService, and the lease sweeper.
struct RecoveryState {
    var isRunning = false
    var isWanted = false
    var rounds = 0
}

extension NodeProcess {
    func beginWork(_ right: NodeRight) {
        self.recoverRegularly()
        self.leadRegularly()
        if self.world.settings.leases {
            let claimer = Claimer(self, right)
            self.claimer = claimer
            claimer.begin()
            self.sweepRegularly()
        }
        if self.world.settings.jobs {
            let worker = Worker(self, right)
            self.worker = worker
            worker.begin()
        }
        if self.world.settings.shards {
            let hand = ShardHand(self, right)
            self.shards = hand
            hand.begin()
        }
        self.beginUploads()
    }

    private func recoverRegularly() {
        self.after(.seconds(10)) { [unowned self] in
            self.recoverSoon()
            self.recovery.rounds += 1
            if self.recovery.rounds % 4 == 0 { self.scan() }
            self.recoverRegularly()
        }
    }

    private func sweepRegularly() {
        self.after(.milliseconds(self.lots.between(3_000, 5_000))) { [unowned self] in
            self.claimer?.sweepOverdue()
            self.sweepRegularly()
        }
    }

    /// Whoever leads writes now and then what only a leader may.
    private func leadRegularly() {
        self.after(.milliseconds(self.lots.between(1_000, 8_000))) { [unowned self] in
            if let right = self.coordinator?.candidacy.leading(at: self.now) {
                self.ask(LeaderWriteStatement(right)) { _ in }
            }
            self.leadRegularly()
        }
    }

    // MARK: A round

    func recoverSoon() {
        self.worker?.sweepSoon()
        guard !self.recovery.isRunning else {
            self.recovery.isWanted = true
            return
        }
        guard self.clearingRight() != nil else { return }
        self.recovery.isRunning = true
        self.breathe { [unowned self] in self.sweepDead() }
    }

    /// Only a node that serves, or drains, clears for others.
    private func clearingRight() -> NodeRight? {
        switch self.standing() {
        case .serving(let right, _), .draining(let right, _): right
        case .outside, .stale, .isolated, .sick: nil
        }
    }

    private func roundEnded() {
        self.recovery.isRunning = false
        guard self.recovery.isWanted else { return }
        self.recovery.isWanted = false
        self.recoverSoon()
    }

    private func sweepDead() {
        guard let right = self.clearingRight() else { return self.roundEnded() }
        guard self.world.settings.leases else { return self.readDepartures(right) }
        self.ask(SweepDeadStatement(limit: 100, right)) { [unowned self] _ in self.readDepartures(right) }
    }

    private func readDepartures(_ right: NodeRight) {
        self.ask(DeparturesStatement(limit: 20)) { [unowned self] result in
            guard case .success(let statement) = result else { return self.roundEnded() }
            self.clear(statement.departures, next: 0, right)
        }
    }

    private func clear(_ departures: [DepartedRow], next: Int, _ right: NodeRight) {
        guard next < departures.count, self.clearingRight() == right else { return self.roundEnded() }
        let departed = departures[next].incarnation
        let claim = ClaimDepartureStatement(
            departed, slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
        self.ask(claim) { [unowned self] result in
            guard case .success(let statement) = result, statement.claimed else {
                return self.clear(departures, next: next + 1, right)
            }
            self.rollForwardAll(of: departed) { [unowned self] isDone in
                guard isDone else { return self.clear(departures, next: next + 1, right) }
                self.close(departed, right) { [unowned self] in
                    self.clear(departures, next: next + 1, right)
                }
            }
        }
    }

    private func close(_ departed: Int64, _ right: NodeRight, _ done: @escaping () -> Void) {
        let statement = CloseDepartureStatement(
            departed, slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
        self.ask(statement) { [unowned self] result in
            if case .success = result { self.stage.coverage.count(.departureCleared) }
            done()
        }
    }

    // MARK: Decisions first, then staging

    private func rollForwardAll(of departed: Int64, _ done: @escaping (Bool) -> Void) {
        guard self.twin != .reclaimUnread else { return self.clearStaging(of: departed, done) }
        self.ask(UnfinishedStatement(.incarnation(departed))) { [unowned self] result in
            guard case .success(let statement) = result else { return done(false) }
            guard !statement.rows.isEmpty else { return self.clearStaging(of: departed, done) }
            self.rollForward(statement.rows, next: 0) { [unowned self] allDone in
                guard allDone else { return done(false) }
                self.rollForwardAll(of: departed, done)
            }
        }
    }

    private func rollForward(_ rows: [(FileKey, NameRow)], next: Int, _ done: @escaping (Bool) -> Void) {
        guard next < rows.count else { return done(true) }
        let (path, row) = rows[next]
        let upload = Upload(operation: row.operation, path: path, staged: row.staged, hasClient: false)
        self.rollForward(upload) { [unowned self] isDone in
            guard isDone else { return done(false) }
            self.rollForward(rows, next: next + 1, done)
        }
    }

    /// Lists, then reads the rows, then removes what no row names.
    private func clearStaging(of departed: Int64, _ done: @escaping (Bool) -> Void) {
        self.onMount { [unowned self] in
            guard let listed = self.world.mount.listStaging(of: departed) else { return done(false) }
            guard !listed.isEmpty else { return done(true) }
            self.ask(UnfinishedStatement(.incarnation(departed))) { [unowned self] result in
                guard case .success(let statement) = result else { return done(false) }
                let named = self.twin == .reclaimUnread ? [] : Set(statement.rows.map(\.1.staged))
                self.onMount { [unowned self] in
                    for id in listed where !named.contains(id) {
                        self.stage.coverage.count(.stagingReclaimed)
                        self.world.mount.discard(id)
                    }
                    done(true)
                }
            }
        }
    }
}

/// Looking through the staging of those cleared long ago: a woken zombie can still create files there.
extension NodeProcess {
    /// Lists, then reads who lives and what is named, then removes what nobody owns.
    private func scan() {
        guard self.clearingRight() != nil else { return }
        self.onMount { [unowned self] in
            let tables = self.world.server.database.tables
            let listed = self.world.mount.listStaging { tables.livingSlot(of: $0) == nil }
            guard let first = listed.first else { return }
            let ofOne = listed.filter { $0.incarnation == first.incarnation }
            self.ask(ViewStatement()) { [unowned self] result in
                guard case .success(let view) = result,
                    !view.members.contains(where: { $0.isLive && $0.incarnation == first.incarnation })
                else { return }
                self.discardUnnamed(ofOne, of: first.incarnation)
            }
        }
    }

    private func discardUnnamed(_ listed: [StagedFileID], of incarnation: Int64) {
        self.ask(UnfinishedStatement(.incarnation(incarnation))) { [unowned self] result in
            guard case .success(let statement) = result else { return }
            let named = Set(statement.rows.map(\.1.staged))
            self.onMount { [unowned self] in
                for id in listed where !named.contains(id) { self.world.mount.discard(id) }
                self.scan()
            }
        }
    }
}
