import ClusterModel
import ClusterPorts

/// `EnqueueStatement.enqueue`: submitters' keys, then tickets of order keys, then all rows at once.
final class EnqueueJobsStatement: Statement {
    let specs: [JobSpec]
    /// By place; nil where the submitter's key was taken.
    private(set) var ids: [Int64?]
    /// Places that are still in the batch.
    private var fresh: [Int] = []
    private var submissions: [(place: Int, key: SubmissionKey)] = []
    private var orderKeys: [String] = []
    private var drawn: [Int64] = []
    private var taken: Set<SubmissionKey> = []
    private var next = 0

    init(_ specs: [JobSpec]) {
        self.specs = specs
        self.ids = Array(repeating: nil, count: specs.count)
    }

    override var title: String { "enqueue" }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            for _ in self.specs {
                database.tables.jobs.jobNumber += 1
                self.drawn.append(database.tables.jobs.jobNumber)
            }
            for (place, spec) in self.specs.enumerated() {
                guard let key = spec.idempotencyKey else {
                    self.fresh.append(place)
                    continue
                }
                self.submissions.append((place, SubmissionKey(submitter: spec.submitter, key: key)))
            }
            self.submissions.sort { ($0.key, $0.place) < ($1.key, $1.place) }
            self.stage = 1
            return .more
        case 1: return self.submit(database)
        case 2: return self.lockKeys(database)
        default:
            self.write(database)
            return .committed
        }
    }

    /// A conflict takes a job out of the batch; an insert waits for one of the same key that is in flight.
    private func submit(_ database: Database) -> Advance {
        guard self.next < self.submissions.count else {
            self.fresh.sort()
            let keys = self.fresh.compactMap { self.specs[$0].orderKey }
            self.orderKeys = Set(keys).sorted()
            self.next = 0
            self.stage = 2
            return .more
        }
        let (place, key) = self.submissions[self.next]
        let isChecked = database.twin != .submissionUnchecked
        if isChecked {
            guard self.lock(.submission(key.submitter, key.key), .update, in: database) else { return .wait }
        }
        if !isChecked || (database.tables.jobs.submissions[key] == nil && self.taken.insert(key).inserted) {
            self.fresh.append(place)
        }
        self.next += 1
        return .more
    }

    private func lockKeys(_ database: Database) -> Advance {
        guard self.next < self.orderKeys.count else {
            self.stage = 3
            return .more
        }
        guard self.lock(.jobKey(self.orderKeys[self.next]), .noKeyUpdate, in: database) else { return .wait }
        self.next += 1
        return .more
    }

    private func write(_ database: Database) {
        let now = database.clock
        for place in self.fresh {
            let spec = self.specs[place]
            let content = JobContent(id: self.drawn[place], spec: spec)
            self.ids[place] = content.id
            if let key = spec.idempotencyKey {
                database.tables.jobs.submissions[SubmissionKey(submitter: spec.submitter, key: key)] =
                    SubmissionRow(job: content.id, spec: spec, at: now)
            }
            self.place(content, now: now, database)
        }
        if !self.fresh.isEmpty { database.synced() }
    }

    private func place(_ content: JobContent, now: Int64, _ database: Database) {
        let spec = content.spec
        let due = now + (spec.delay?.wholeNanoseconds ?? 0) / 1_000
        let rank = content.rank(due: due)
        var (ticket, isNext) = (Int64?.none, true)
        if let key = spec.orderKey { (ticket, isNext) = database.takeTicket(of: key) }
        if database.twin == .keyUnordered { isNext = true }
        database.tables.jobs.jobs[content.id] = JobRow(content: content, ticket: ticket)
        if !isNext, let ticket, let key = spec.orderKey {
            database.tables.jobs.waiting[key, default: []].append(
                WaitingRow(
                    ticket: ticket, job: content.id, lane: content.lane, rank: rank,
                    dueAt: due > now ? due : nil))
            database.judge?.enqueued(content, .waiting)
        } else if due > now {
            database.tables.jobs.later[content.id] = LaterRow(
                dueAt: due, lane: content.lane, rank: rank, attempt: 0)
            database.judge?.enqueued(content, .later)
        } else {
            database.tables.jobs.addReady(
                ReadyRow(rank: rank, job: content.id, attempt: 0), to: content.lane)
            database.judge?.enqueued(content, .ready)
        }
    }
}

extension Database {
    /// One at the end of a key; where nobody waits, its job is let through.
    func takeTicket(of key: String) -> (Int64, isNext: Bool) {
        guard var row = self.tables.jobs.keys[key] else {
            self.tables.jobs.keys[key] = KeyRow(head: 0, tail: 1, passed: 0)
            return (0, true)
        }
        let ticket = row.tail
        row.tail += 1
        if row.head == ticket { row.passed = row.head }
        self.tables.jobs.keys[key] = row
        return (ticket, row.passed == ticket)
    }

    /// Of leases and claims and shards: goes on whatever becomes of the statement.
    func drawEpoch() -> Int64 {
        self.tables.cluster.lastEpoch += 1
        return self.tables.cluster.timeline << Incarnation.sequenceBits + self.tables.cluster.lastEpoch
    }
}

/// `EnqueueStatement.lookUp`: what stands under submitters' keys.
final class LookUpSubmissionsStatement: Statement {
    let specs: [JobSpec]
    /// By place: the job, and whether it is the same content.
    private(set) var found: [(job: Int64, isSame: Bool)?] = []

    init(_ specs: [JobSpec]) { self.specs = specs }

    override var title: String { "look up submissions" }

    override func advance(_ database: Database) -> Advance {
        self.found = self.specs.map { spec in
            guard let key = spec.idempotencyKey,
                let row = database.tables.jobs.submissions[
                    SubmissionKey(submitter: spec.submitter, key: key)]
            else { return nil }
            return (row.job, row.isSame(as: spec))
        }
        return .committed
    }
}
