import ClusterModel
import ClusterPorts

/// `tidy`, as far as rows go: what ended long ago, submitters' keys of jobs that are gone, order keys without jobs.
///
/// Partitions are not simulated: whether one is there changes nothing that anybody reads.
final class TidyJobsStatement: RightfulStatement {
    private let kept: Int64
    private let limit: Int
    private let term: Int64
    private var snapshot: JobTables?
    private var old: [Int64] = []
    private var submitted: [SubmissionKey] = []
    private var idle: [String] = []
    /// Jobs that are gone.
    private(set) var gone = 0

    init(kept: Duration, limit: Int, _ leader: LeaderRight) {
        self.kept = kept.wholeNanoseconds / 1_000
        self.limit = limit
        self.term = leader.term
        super.init(
            slot: leader.right.slot.rawValue, incarnation: leader.right.incarnation.rawValue)
    }

    override var title: String { "tidy jobs" }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 { self.snapshot = database.tables.jobs }
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful, let snapshot = self.snapshot else { return self.over() }
        switch self.stage {
        case 2:
            self.lockOld(snapshot, database)
            self.lockSubmitted(snapshot, database)
            self.lockIdle(snapshot, database)
            self.stage = 3
            return .more
        case 3:
            // The cluster's row is locked last.
            guard self.lock(.cluster, .share, in: database) else { return .wait }
            self.stage = 4
            return .more
        default:
            let cluster = database.tables.cluster
            guard cluster.leaderTerm == self.term, cluster.leaderIncarnation == self.incarnation else {
                database.judge?.stage.coverage.count(.staleLeaderRefused)
                return self.over()
            }
            database.judge?.leaderWrote(term: self.term, by: self.incarnation)
            self.write(database)
            database.synced()
            return self.over()
        }
    }

    private func over() -> Advance {
        self.snapshot = nil
        return .committed
    }

    /// `skip locked`: never waits.
    private func takes(_ key: RowKey, _ database: Database) -> Bool {
        guard database.locks.allows(key, .update) else { return false }
        return self.lock(key, .update, in: database)
    }

    private func lockOld(_ snapshot: JobTables, _ database: Database) {
        let since = database.clock - self.kept
        for job in snapshot.outcomes.keys.sorted().prefix(10 * self.limit) where self.old.count < self.limit {
            guard let row = snapshot.outcomes[job], row.endedAt < since,
                database.tables.jobs.outcomes[job] == row, self.takes(.queued(job, 3), database)
            else { continue }
            self.old.append(job)
        }
    }

    /// A submitter's key goes after its job, so while that is there nothing is enqueued twice.
    private func lockSubmitted(_ snapshot: JobTables, _ database: Database) {
        let since = database.clock - self.kept
        let due = snapshot.submissions.filter { $0.value.at < since }
        for (key, row) in due.sorted(by: { ($0.value.at, $0.key) < ($1.value.at, $1.key) })
            .prefix(10 * self.limit)
        where self.submitted.count < self.limit && snapshot.jobs[row.job] == nil {
            guard database.tables.jobs.submissions[key]?.job == row.job,
                self.takes(.submission(key.submitter, key.key), database)
            else { continue }
            self.submitted.append(key)
        }
    }

    private func lockIdle(_ snapshot: JobTables, _ database: Database) {
        for key in snapshot.keys.keys.sorted() where self.idle.count < self.limit {
            guard Self.isIdle(snapshot.keys[key]), Self.isIdle(database.tables.jobs.keys[key]),
                self.takes(.jobKey(key), database)
            else { continue }
            self.idle.append(key)
        }
    }

    private static func isIdle(_ row: KeyRow?) -> Bool { row.map { $0.head == $0.tail } ?? false }

    private func write(_ database: Database) {
        for job in self.old {
            database.tables.jobs.outcomes[job] = nil
            database.tables.jobs.jobs[job] = nil
            database.tables.jobs.progress[job] = nil
        }
        for key in self.submitted { database.tables.jobs.submissions[key] = nil }
        for key in self.idle where Self.isIdle(database.tables.jobs.keys[key]) {
            database.tables.jobs.keys[key] = nil
        }
        self.gone = self.old.count
        if self.gone + self.idle.count > 0 { database.judge?.stage.coverage.count(.tidied) }
    }
}
