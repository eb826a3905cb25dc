import ClusterModel
import ClusterPorts

/// `StageStatement`: makes ready what is due, and what the order of keys lets through; or only the latter, for some
/// keys.
///
/// Whatever somebody else has locked is left to him.
final class StageJobsStatement: RightfulStatement {
    private enum Part {
        case all(limit: Int)
        case keys([String])
    }

    private let part: Part
    private var snapshot: JobTables?
    /// `statement_timestamp()`.
    private var now: Int64 = 0
    private var due: [(job: Int64, row: LaterRow)] = []
    /// Keys whose rows are locked, and who is the first that waits behind each.
    private var firsts: [(key: String, tail: Int64, row: WaitingRow?)] = []
    private(set) var ready = 0
    private(set) var nextDue: Int64?
    private(set) var hasMore = false

    init(limit: Int, _ right: NodeRight) {
        self.part = .all(limit: limit)
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    init(keys: [String], _ right: NodeRight) {
        self.part = .keys(keys)
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "stage jobs" }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 {
            self.snapshot = database.tables.jobs
            self.now = database.clock
        }
        if let advance = self.checkRight(database) { return advance }
        guard let snapshot = self.snapshot else { return .committed }
        guard self.isRightful else {
            self.lookAhead(snapshot)
            self.snapshot = nil
            return .committed
        }
        switch self.stage {
        case 2:
            if case .all(let limit) = self.part { self.lockDue(limit, snapshot, database) }
            self.stage = 3
            return .more
        case 3:
            self.lockKeys(snapshot, database)
            self.stage = 4
            return .more
        default:
            self.lookAhead(snapshot)
            self.snapshot = nil
            self.write(database)
            return .committed
        }
    }

    private func lockDue(_ limit: Int, _ snapshot: JobTables, _ database: Database) {
        guard !snapshot.later.isEmpty else { return }
        let due = snapshot.later.filter { $0.value.dueAt <= self.now }.sorted {
            ($0.value.dueAt, $0.key) < ($1.value.dueAt, $1.key)
        }
        for (job, row) in due where self.due.count < limit {
            guard let now = database.tables.jobs.later[job], now.dueAt == row.dueAt,
                self.lock(.queued(job, 1), .update, in: database)
            else {
                self.waitsFor = nil
                continue
            }
            self.due.append((job, row))
        }
        if self.due.count >= limit { self.hasMore = true }
    }

    private func lockKeys(_ snapshot: JobTables, _ database: Database) {
        if database.twin == .headsNobodyStages || database.twin == .endsLookForTheNext { return }
        func isDue(_ row: KeyRow) -> Bool { row.passed < row.head && row.head < row.tail }
        var keys: [String]
        switch self.part {
        case .all(let limit):
            keys = snapshot.keys.filter { isDue($0.value) }.map(\.key).sorted()
            if keys.count >= limit { self.hasMore = true }
            keys = Array(keys.prefix(limit))
        case .keys(let named):
            keys = Set(named).filter { snapshot.keys[$0].map(isDue) ?? false }.sorted()
        }
        for key in keys {
            guard let known = snapshot.keys[key] else { continue }
            // As this snapshot saw it: another head or tail means that there may be rows that the snapshot has not.
            guard let row = database.tables.jobs.keys[key], row.head == known.head, row.tail == known.tail,
                row.passed < row.head, self.lock(.jobKey(key), .update, in: database)
            else {
                self.waitsFor = nil
                continue
            }
            let first = snapshot.waiting[key]?.first { $0.ticket >= known.head }
            if let first {
                guard database.tables.jobs.waits(key, first.ticket) != nil,
                    self.lock(.queued(first.job, 2), .update, in: database)
                else {
                    self.waitsFor = nil
                    continue
                }
            }
            self.firsts.append((key, known.tail, first))
        }
    }

    private func lookAhead(_ snapshot: JobTables) {
        guard case .all = self.part, !snapshot.later.isEmpty else { return }
        self.nextDue = snapshot.later.values.lazy.map(\.dueAt).filter { $0 > self.now }.min()
    }

    private func write(_ database: Database) {
        for (job, row) in self.due {
            guard let content = database.tables.jobs.jobs[job]?.content else { continue }
            database.tables.jobs.later[job] = nil
            database.tables.jobs.addReady(
                ReadyRow(rank: row.rank, job: job, attempt: row.attempt), to: row.lane)
            database.judge?.returned(content, .ready)
            self.ready += 1
        }
        for (key, tail, row) in self.firsts {
            if let row {
                database.letThrough(row, of: key)
                if row.dueAt.map({ $0 <= self.now }) ?? true { self.ready += 1 }
                database.judge?.stage.coverage.count(.keyPassedOn)
            } else {
                // All of them were cancelled.
                database.tables.jobs.keys[key]?.head = tail
            }
        }
        guard !self.due.isEmpty || !self.firsts.isEmpty else { return }
        if self.ready > 0 { database.tables.jobs.jobAgain += 1 }
        database.synced()
    }

    /// Until the next one is due, by the database's clock.
    func nextIn(_ database: Database) -> Duration? {
        self.hasMore ? .zero : self.nextDue.map { .microseconds(max(0, $0 - database.clock)) }
    }
}
