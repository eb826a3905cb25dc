import ClusterModel
import ClusterPorts

/// `FinishJobsStatement.finish`: the endings of one node, each by its title.
final class FinishJobsStatement: ClaimEndingStatement {
    let endings: [JobEnding]

    init(_ endings: [JobEnding], _ right: NodeRight) {
        self.endings = endings
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "finish jobs" }

    override func choose(_ snapshot: JobTables, _ database: Database) {
        if database.twin == .retryMovesHead { self.letRetriesMoveHeads() }
        self.doomed = self.endings.sorted { $0.title.job < $1.title.job }.map { ending in
            let verdict: Verdict =
                switch ending.end {
                case .done: .done
                case .failed: .failed
                case .retry(let after, _): .retry(after: after)
                case .givenBack: .givenBack
                case .postponed(let pause, _): .postponed(for: pause)
                }
            return Doomed(
                key: ClaimKey(incarnation: self.incarnation, job: ending.title.job.rawValue),
                epoch: ending.title.epoch.rawValue, verdict: verdict)
        }
    }

    override func isDeleted(_ doomed: Doomed, _ database: Database) {
        database.judge?.finished(doomed.key, epoch: doomed.epoch, by: self.incarnation)
    }

    /// In the order of the endings.
    var answers: [JobEndAnswer] {
        var verdicts: [Int64: Verdict] = [:]
        for doomed in self.doomed where doomed.isGone { verdicts[doomed.key.job] = doomed.verdict }
        return self.endings.map { ending in
            guard let verdict = verdicts[ending.title.job.rawValue] else { return .fenced }
            if case .retry = ending.end, verdict == .failed { return .acceptedAsFailed }
            return .accepted
        }
    }
}

/// `sweepClaims`: what dead incarnations hold.
final class SweepClaimsStatement: ClaimEndingStatement {
    let limit: Int
    private(set) var isUnsettled = false
    private var dead: [ClaimKey] = []

    init(limit: Int, _ right: NodeRight) {
        self.limit = limit
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "sweep claims" }
    override var skipsLocked: Bool { true }

    override func look(_ database: Database) {
        guard !database.tables.jobs.claims.isEmpty else { return }
        self.dead = database.tables.jobs.claims.keys.filter {
            database.tables.livingSlot(of: $0.incarnation) == nil
        }.sorted()
    }

    override func choose(_ snapshot: JobTables, _ database: Database) {
        self.isUnsettled = !snapshot.policies.isEmpty && !snapshot.unsettled().isEmpty
        var chosen: [Doomed] = []
        for key in self.dead.sorted() where chosen.count < self.limit {
            guard let claim = snapshot.claims[key], database.tables.jobs.claims[key]?.epoch == claim.epoch,
                database.locks.allows(.claim(key.job), .update)
            else { continue }
            chosen.append(Doomed(key: key, epoch: claim.epoch, verdict: .swept))
        }
        self.doomed = chosen
    }

    override func isDeleted(_ doomed: Doomed, _ database: Database) {
        database.judge?.claimSwept(doomed.key, epoch: doomed.epoch, isOverdue: false)
    }

    var ready: Int { self.doomed.count { $0.isGone && $0.verdict == .swept } }
    var failed: Int { self.doomed.count { $0.isGone && $0.verdict == .failed } }
}

/// `sweepOverdue`: claims with a deadline that somebody has watched for it; their living holders are told.
final class SweepOverdueStatement: ClaimEndingStatement {
    let titles: [JobTitle]

    init(_ titles: [JobTitle], _ right: NodeRight) {
        self.titles = titles.sorted { $0.job < $1.job }
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "sweep overdue claims" }
    override var skipsLocked: Bool { true }
    override var tells: Bool { true }

    override func choose(_ snapshot: JobTables, _ database: Database) {
        self.doomed = self.titles.compactMap { title in
            let found = snapshot.claims.first {
                $0.key.job == title.job.rawValue && $0.value.epoch == title.epoch.rawValue
            }
            guard let found, found.value.deadline != nil else { return nil }
            return Doomed(key: found.key, epoch: found.value.epoch, verdict: .swept)
        }
    }

    override func isDeleted(_ doomed: Doomed, _ database: Database) {
        database.noteLoss(of: doomed)
        database.judge?.claimSwept(doomed.key, epoch: doomed.epoch, isOverdue: true)
    }

    var taken: [JobTitle] {
        self.doomed.filter(\.isGone).compactMap { doomed in
            guard let job = JobID(rawValue: doomed.key.job), let epoch = Epoch(rawValue: doomed.epoch) else {
                return nil
            }
            return JobTitle(job: job, epoch: epoch)
        }
    }
}

extension Database {
    /// As a lease of the kind `job`, which is how a node hears of it.
    func noteLoss(of doomed: ClaimEndingStatement.Doomed) {
        guard let kind = LeaseKind("job"), let epoch = Epoch(rawValue: doomed.epoch),
            let subject = LeaseSubject(kind: kind, id: "\(doomed.key.job)"), let claim = doomed.claim
        else { return }
        let row = LeaseRow(
            epoch: doomed.epoch, slot: claim.slot, incarnation: doomed.key.incarnation, orderKey: nil,
            limit: nil, limitSlot: 0, deadline: nil, acquiredAt: 0)
        self.noteLoss(LeaseTitle(subject: subject, epoch: epoch), of: row)
    }
}
