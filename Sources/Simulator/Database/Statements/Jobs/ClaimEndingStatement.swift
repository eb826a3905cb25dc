import ClusterModel
import ClusterPorts

/// What the statements have in common that delete claims: who waits for what, and what follows from a deleted claim.
///
/// The order of locks: the member; claims by job; the member whose loss is counted; slots; keys.
class ClaimEndingStatement: RightfulStatement {
    /// What becomes of a job whose claim is deleted.
    enum Verdict: Equatable {
        case done
        case failed
        case cancelled
        case retry(after: Duration)
        /// Later, and the attempt does not count.
        case postponed(for: Duration)
        /// Ready again, and the attempt does not count.
        case givenBack
        /// Ready again at its old place.
        case swept
    }

    struct Doomed {
        var key: ClaimKey
        var epoch: Int64
        var verdict: Verdict
        var isGone = false
        /// As the row was when it was locked.
        var claim: ClaimRow?
    }

    final var doomed: [Doomed] = []
    /// Keys behind whose new heads others wait.
    final private(set) var waitingKeys: [String] = []
    private final var slots: [SlotKey] = []
    private final var keys: [String] = []
    private final var tickets: [String: Int64] = [:]
    final private(set) var moved: [String] = []
    private final var next = 0
    final var snapshot: JobTables?

    /// `for update skip locked` instead of waiting.
    var skipsLocked: Bool { false }
    /// Holders are told of their loss.
    var tells: Bool { false }
    /// Orders of operators need none.
    var needsRight: Bool { true }
    /// There is something to do besides claims.
    var hasMore: Bool { false }
    /// Which claims are meant; called once, after the right was checked.
    func choose(_ snapshot: JobTables, _ database: Database) {}
    /// Takes what it needs of the snapshot.
    func look(_ database: Database) {}
    func isDeleted(_ doomed: Doomed, _ database: Database) {}
    /// What else the statement writes with it.
    func write(_ database: Database) {}

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 {
            if self.snapshot == nil { self.snapshot = database.tables.jobs }
            self.look(database)
            if !self.needsRight { self.stage = 2 }
        }
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful || !self.needsRight, let snapshot = self.snapshot else { return self.over() }
        switch self.stage {
        case 2:
            self.choose(snapshot, database)
            guard !self.doomed.isEmpty || self.hasMore else { return self.over() }
            return self.go(to: 3)
        case 3: return self.lockClaims(snapshot, database)
        case 4: return self.lockHolders(database)
        case 5: return self.lockSlots(database)
        case 6: return self.lockKeys(snapshot, database)
        default:
            self.snapshot = nil
            self.deleteAll(database)
            self.write(database)
            database.synced()
            return .committed
        }
    }

    final func go(to stage: Int) -> Advance {
        self.stage = stage
        self.next = 0
        return .more
    }

    final func over() -> Advance {
        self.snapshot = nil
        return .committed
    }

    // MARK: Locks

    private func lockClaims(_ snapshot: JobTables, _ database: Database) -> Advance {
        while self.next < self.doomed.count {
            let key = self.doomed[self.next].key
            guard snapshot.claims[key]?.epoch == self.doomed[self.next].epoch,
                database.tables.jobs.claims[key]?.epoch == self.doomed[self.next].epoch
            else {
                self.next += 1
                continue
            }
            guard self.lock(.claim(key.job), .update, in: database) else {
                guard self.skipsLocked else { return .wait }
                self.waitsFor = nil
                self.next += 1
                continue
            }
            self.doomed[self.next].isGone = true
            self.doomed[self.next].claim = database.tables.jobs.claims[key]
            self.judge(&self.doomed[self.next], database)
            self.next += 1
        }
        self.note(snapshot)
        return self.go(to: 4)
    }

    /// The last attempt is not tried again.
    private func judge(_ doomed: inout Doomed, _ database: Database) {
        guard let claim = doomed.claim, let content = database.tables.jobs.jobs[doomed.key.job]?.content
        else { return }
        let isLast = claim.attempt >= content.spec.maxAttempts
        switch doomed.verdict {
        case .retry, .swept: if isLast { doomed.verdict = .failed }
        case .done, .failed, .cancelled, .postponed, .givenBack: break
        }
    }

    /// Which slots and keys follow from the claims.
    private func note(_ snapshot: JobTables) {
        let gone = self.doomed.filter(\.isGone)
        let limited = Set(gone.filter { $0.claim?.isLimited ?? false }.map(\.key.job))
        if !limited.isEmpty {
            self.slots = snapshot.slots.filter { limited.contains($0.value.job) }.map(\.key)
                .sorted { ($0.scope.description, $0.slot) < ($1.scope.description, $1.slot) }
        }
        for doomed in gone where doomed.claim?.isKeyed ?? false {
            guard self.movesHead(doomed.verdict), let row = snapshot.jobs[doomed.key.job] else { continue }
            self.willMove(row)
        }
        self.noteKeys(snapshot)
    }

    /// Others whose ends move heads.
    func noteKeys(_ snapshot: JobTables) {}

    final func willMove(_ row: JobRow) {
        guard let key = row.content.spec.orderKey, let ticket = row.ticket, self.tickets[key] == nil else {
            return
        }
        self.tickets[key] = ticket
        self.keys.append(key)
        self.keys.sort()
    }

    private func movesHead(_ verdict: Verdict) -> Bool {
        switch verdict {
        case .done, .failed, .cancelled: true
        case .retry: self.retryMovesHead
        case .postponed, .givenBack, .swept: false
        }
    }
    private final var retryMovesHead = false
    final func letRetriesMoveHeads() { self.retryMovesHead = true }

    private func lockHolders(_ database: Database) -> Advance {
        guard self.tells else { return self.go(to: 5) }
        let holders = Set(self.doomed.filter(\.isGone).map(\.key.incarnation)).sorted()
        let slots = holders.compactMap { database.tables.livingSlot(of: $0) }.sorted()
        guard self.next < slots.count else { return self.go(to: 5) }
        guard self.lock(.member(slots[self.next]), .noKeyUpdate, in: database) else { return .wait }
        self.next += 1
        return .more
    }

    private func lockSlots(_ database: Database) -> Advance {
        while self.next < self.slots.count {
            let key = self.slots[self.next]
            guard self.lock(.claimSlot(key.scope, key.slot), .update, in: database) else { return .wait }
            self.next += 1
        }
        return self.go(to: 6)
    }

    /// `head = ticket and passed = ticket`, by the snapshot and by the locked row.
    private func lockKeys(_ snapshot: JobTables, _ database: Database) -> Advance {
        while self.next < self.keys.count {
            let key = self.keys[self.next]
            guard let ticket = self.tickets[key], Self.isHead(ticket, snapshot.keys[key]) else {
                self.next += 1
                continue
            }
            guard self.lock(.jobKey(key), .update, in: database) else { return .wait }
            if let row = database.tables.jobs.keys[key], Self.isHead(ticket, row) {
                self.moved.append(key)
                if row.head + 1 < row.tail { self.waitingKeys.append(key) }
            }
            self.next += 1
        }
        if database.twin == .endsLookForTheNext { self.findNext(snapshot) }
        return self.go(to: 7)
    }

    private static func isHead(_ ticket: Int64, _ row: KeyRow?) -> Bool {
        row.map { $0.head == ticket && $0.passed == ticket } ?? false
    }

    // MARK: The twin that lets the next one through itself

    private final var found: [String: WaitingRow] = [:]

    /// What waits as the snapshot has it: what was enqueued while the key's row was waited for is not seen.
    private func findNext(_ snapshot: JobTables) {
        for key in self.moved {
            guard let ticket = self.tickets[key] else { continue }
            self.found[key] = snapshot.waiting[key]?.first { $0.ticket > ticket }
        }
    }

    // MARK: Writing

    private func deleteAll(_ database: Database) {
        let isNews = self.doomed.contains {
            $0.isGone && ($0.verdict == .givenBack || $0.verdict == .swept)
        }
        if isNews { database.tables.jobs.jobAgain += 1 }
        for doomed in self.doomed where doomed.isGone {
            guard let claim = doomed.claim else { continue }
            let isKept = database.twin == .finishKeepsClaim && self is FinishJobsStatement
            if !isKept { database.tables.jobs.claims[doomed.key] = nil }
            self.isDeleted(doomed, database)
            database.put(doomed, claim)
        }
        let gone = Set(self.doomed.filter(\.isGone).map(\.key.job))
        for key in self.slots where database.tables.jobs.slots[key].map({ gone.contains($0.job) }) ?? false {
            database.tables.jobs.slots[key] = nil
        }
        for key in self.moved {
            database.tables.jobs.keys[key]?.head += 1
            if let next = self.found[key] { database.letThrough(next, of: key) }
        }
    }
}

extension Database {
    /// Puts a job whose claim is gone where it belongs.
    fileprivate func put(_ doomed: ClaimEndingStatement.Doomed, _ claim: ClaimRow) {
        let job = doomed.key.job
        guard let content = self.tables.jobs.jobs[job]?.content else { return }
        switch doomed.verdict {
        case .done, .failed, .cancelled:
            let status: OutcomeRow.Status =
                switch doomed.verdict {
                case .done: .done
                case .cancelled: .cancelled
                default: .failed
                }
            self.tables.jobs.outcomes[job] = OutcomeRow(
                status: status, attempt: claim.attempt, epoch: claim.epoch, endedAt: self.clock)
            if status == .done { self.tables.jobs.progress[job] = nil }
            self.judge?.ended(content, status)
        case .retry(let after):
            let due = self.clock + after.wholeNanoseconds / 1_000
            self.tables.jobs.later[job] = LaterRow(
                dueAt: due, lane: claim.lane, rank: content.rank(due: due), attempt: claim.attempt)
            self.judge?.returned(content, .later, counting: true)
        case .postponed(let pause):
            let due = self.clock + pause.wholeNanoseconds / 1_000
            self.tables.jobs.later[job] = LaterRow(
                dueAt: due, lane: claim.lane, rank: content.rank(due: due),
                attempt: self.twin == .postponedCounts ? claim.attempt : claim.attempt - 1)
            self.judge?.stage.coverage.count(.jobPostponed)
            self.judge?.returned(content, .later)
        case .givenBack, .swept:
            let attempt = doomed.verdict == .givenBack ? claim.attempt - 1 : claim.attempt
            self.tables.jobs.addReady(
                ReadyRow(rank: claim.rank, job: job, attempt: attempt), to: claim.lane)
            self.judge?.returned(content, .ready, counting: doomed.verdict == .swept)
        }
    }

    /// From behind its head to where it may be taken.
    func letThrough(_ row: WaitingRow, of key: String) {
        guard self.tables.jobs.waits(key, row.ticket) != nil else { return }
        self.tables.jobs.removeWaiting(key, row.ticket)
        self.tables.jobs.keys[key]?.head = row.ticket
        self.tables.jobs.keys[key]?.passed = row.ticket
        guard let content = self.tables.jobs.jobs[row.job]?.content else { return }
        if let due = row.dueAt, due > self.clock {
            self.tables.jobs.later[row.job] = LaterRow(dueAt: due, lane: row.lane, rank: row.rank, attempt: 0)
            self.judge?.returned(content, .later)
        } else {
            self.tables.jobs.addReady(ReadyRow(rank: row.rank, job: row.job, attempt: 0), to: row.lane)
            self.judge?.returned(content, .ready)
        }
    }
}
