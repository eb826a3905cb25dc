import ClusterModel
import ClusterPorts

/// `CancelStatement.cancel`: an operator ends what has not ended, wherever it is.
final class CancelJobsStatement: ClaimEndingStatement {
    let ids: [Int64]
    private var isPrepared = false
    private var rows: [(job: Int64, table: Int8)] = []
    private var at = 0
    private var cancelled: [Int64] = []

    init(_ ids: [Int64]) {
        self.ids = ids.sorted()
        super.init(slot: 0, incarnation: 0)
    }

    override var title: String { "cancel jobs" }
    override var needsRight: Bool { false }
    override var hasMore: Bool { !self.rows.isEmpty }
    override var tells: Bool { true }

    override func advance(_ database: Database) -> Advance {
        self.isPrepared ? super.advance(database) : self.prepare(database)
    }

    /// Rows of the queue: ready, later, waiting.
    private func prepare(_ database: Database) -> Advance {
        guard let snapshot = self.snapshot else {
            let tables = database.tables.jobs
            self.snapshot = tables
            for job in self.ids {
                if let table = tables.table(of: job) { self.rows.append((job, table)) }
            }
            self.rows.sort { ($0.table, $0.job) < ($1.table, $1.job) }
            return .more
        }
        guard self.at < self.rows.count else {
            self.isPrepared = true
            return .more
        }
        let (job, table) = self.rows[self.at]
        guard self.lock(.queued(job, table), .update, in: database) else { return .wait }
        // Gone to another table meanwhile: in no place for this look.
        if database.tables.jobs.table(of: job) == table, snapshot.jobs[job] != nil {
            self.cancelled.append(job)
        }
        self.at += 1
        return .more
    }

    override func choose(_ snapshot: JobTables, _ database: Database) {
        self.doomed = self.ids.compactMap { job in
            snapshot.claims.first { $0.key.job == job }.map {
                Doomed(key: $0.key, epoch: $0.value.epoch, verdict: .cancelled)
            }
        }
    }

    override func noteKeys(_ snapshot: JobTables) {
        for job in self.cancelled { if let row = snapshot.jobs[job] { self.willMove(row) } }
    }

    override func isDeleted(_ doomed: Doomed, _ database: Database) {
        database.noteLoss(of: doomed)
        database.judge?.claimSwept(doomed.key, epoch: doomed.epoch, isOverdue: false)
    }

    override func write(_ database: Database) {
        for job in self.cancelled {
            guard let content = database.tables.jobs.jobs[job]?.content else { continue }
            let attempt = database.removeQueued(job)
            database.tables.jobs.outcomes[job] = OutcomeRow(
                status: .cancelled, attempt: attempt, epoch: nil, endedAt: database.clock)
            database.judge?.ended(content, .cancelled)
        }
        if !self.cancelled.isEmpty || self.doomed.contains(where: \.isGone) {
            if !self.moved.isEmpty { database.tables.jobs.jobAgain += 1 }
            database.judge?.stage.coverage.count(.jobCancelled)
        }
    }

    var ended: [Int64] { (self.cancelled + self.doomed.filter(\.isGone).map(\.key.job)).sorted() }
}

extension JobTables {
    /// 0 ready, 1 later, 2 waiting.
    func table(of job: Int64) -> Int8? {
        guard let row = self.jobs[job] else { return nil }
        if self.isReady(job, in: row.content.lane) { return 0 }
        if self.later[job] != nil { return 1 }
        if let key = row.content.spec.orderKey, let ticket = row.ticket,
            self.waits(key, ticket)?.job == job
        {
            return 2
        }
        return nil
    }
}

extension Database {
    /// Answers the attempt of its row.
    fileprivate func removeQueued(_ job: Int64) -> Int {
        guard let row = self.tables.jobs.jobs[job] else { return 0 }
        if let gone = self.tables.jobs.removeReady(job, from: row.content.lane) { return gone.attempt }
        if let gone = self.tables.jobs.later.removeValue(forKey: job) { return gone.attempt }
        if let key = row.content.spec.orderKey, let ticket = row.ticket {
            self.tables.jobs.removeWaiting(key, ticket)
        }
        return 0
    }
}

/// `CancelStatement.sendBack`: what failed or was cancelled is ready again, under a key at its end; what waits for its
/// time is ready now.
final class SendBackStatement: Statement {
    let ids: [Int64]
    private var snapshot: JobTables?
    private var next = 0
    private var undelayed: [Int64] = []
    private var revived: [Int64] = []
    private var keys: [String] = []
    private(set) var back: [Int64] = []

    init(_ ids: [Int64]) { self.ids = ids.sorted() }

    override var title: String { "send jobs back" }

    override func advance(_ database: Database) -> Advance {
        guard let snapshot = self.snapshot else {
            self.snapshot = database.tables.jobs
            return .more
        }
        switch self.stage {
        case 0:
            guard self.next < self.ids.count else { return self.go() }
            let job = self.ids[self.next]
            if snapshot.later[job] != nil {
                guard self.lock(.queued(job, 1), .update, in: database) else { return .wait }
                if database.tables.jobs.later[job] != nil { self.undelayed.append(job) }
            } else if Self.isUnhappy(snapshot.outcomes[job]) {
                guard self.lock(.queued(job, 3), .update, in: database) else { return .wait }
                if Self.isUnhappy(database.tables.jobs.outcomes[job]) { self.revived.append(job) }
            }
            self.next += 1
            return .more
        case 1:
            guard self.next < self.keys.count else { return self.go() }
            guard self.lock(.jobKey(self.keys[self.next]), .noKeyUpdate, in: database) else { return .wait }
            self.next += 1
            return .more
        default:
            self.snapshot = nil
            self.write(database)
            return .committed
        }
    }

    private func go() -> Advance {
        self.stage += 1
        self.next = 0
        let keys = self.revived.compactMap { self.snapshot?.jobs[$0]?.content.spec.orderKey }
        self.keys = Set(keys).sorted()
        return .more
    }

    private static func isUnhappy(_ row: OutcomeRow?) -> Bool { row.map { $0.status != .done } ?? false }

    private func write(_ database: Database) {
        let now = database.clock
        for job in self.undelayed {
            guard let content = database.tables.jobs.jobs[job]?.content,
                let row = database.tables.jobs.later.removeValue(forKey: job)
            else { continue }
            database.tables.jobs.addReady(
                ReadyRow(rank: content.rank(due: now), job: job, attempt: row.attempt), to: content.lane)
            database.judge?.returned(content, .ready)
        }
        for job in self.revived { self.revive(job, now, database) }
        self.back = (self.undelayed + self.revived).sorted()
        if !self.back.isEmpty { database.tables.jobs.jobAgain += 1 }
    }

    private func revive(_ job: Int64, _ now: Int64, _ database: Database) {
        guard let content = database.tables.jobs.jobs[job]?.content else { return }
        database.tables.jobs.outcomes[job] = nil
        let rank = content.rank(due: now)
        var isNext = true
        if let key = content.spec.orderKey {
            let (ticket, isFirst) = database.takeTicket(of: key)
            database.tables.jobs.jobs[job]?.ticket = ticket
            isNext = isFirst
            if !isNext {
                database.tables.jobs.waiting[key, default: []].append(
                    WaitingRow(ticket: ticket, job: job, lane: content.lane, rank: rank, dueAt: nil))
            }
        }
        if isNext {
            database.tables.jobs.addReady(ReadyRow(rank: rank, job: job, attempt: 0), to: content.lane)
        }
        database.judge?.revived(content, isNext ? .ready : .waiting)
    }
}
