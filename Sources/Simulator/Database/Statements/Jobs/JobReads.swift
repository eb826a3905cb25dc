import ClusterModel
import ClusterPorts
import Coordinator

/// `survey`: what is ready, by lane.
final class SurveyStatement: Statement {
    let after: JobLane?
    let lanes: Int
    let depth: Int
    private(set) var backlog: [LaneBacklog] = []

    init(after lane: JobLane?, lanes: Int, depth: Int) {
        self.after = lane
        self.lanes = lanes
        self.depth = depth
    }

    override var title: String { "survey" }

    override func advance(_ database: Database) -> Advance {
        guard !database.tables.jobs.ready.isEmpty else { return .committed }
        let tables = database.tables.jobs
        let now = database.clock
        let lanes = tables.ready.keys.filter { lane in self.after.map { lane > $0 } ?? true }.sorted()
        for lane in lanes.prefix(self.lanes) {
            guard let rows = tables.ready[lane], let first = rows.first,
                let content = tables.jobs[first.job]?.content
            else { continue }
            let kind = tables.policies[content.kindScope]
            let account = content.spec.account.flatMap { tables.policies[.account($0)] }
            var room: Int?
            for scope in content.scopes {
                if let left = self.room(scope, tables) { room = min(room ?? .max, left) }
            }
            self.backlog.append(
                LaneBacklog(
                    lane: lane, kind: content.spec.kind, account: content.spec.account,
                    requires: Set(
                        content.spec.requires + (kind?.requires ?? []) + (account?.requires ?? [])
                    ).sorted(),
                    ready: min(rows.count, self.depth), firstRank: first.rank,
                    waited: .microseconds(max(0, content.waited(rank: first.rank, now: now))),
                    weight: (kind?.weight ?? 1) * (account?.weight ?? 1), room: room,
                    perNode: kind?.perNode))
        }
        return .committed
    }

    private func room(_ scope: JobScope, _ tables: JobTables) -> Int? {
        guard let policy = tables.policies[scope], let slots = policy.slots else { return nil }
        let taken = tables.slots.reduce(0) {
            $0 + ($1.key.scope == scope && tables.isLive($1.value) ? 1 : 0)
        }
        return max(0, (policy.isSettled ? slots : 0) - taken)
    }
}

/// `claims(of:after:)`: what an incarnation holds, by epoch.
final class ClaimsStatement: Statement {
    let incarnation: Int64
    private(set) var claims: [ClaimedJob] = []

    init(of right: NodeRight) { self.incarnation = right.incarnation.rawValue }

    override var title: String { "read claims" }

    override func advance(_ database: Database) -> Advance {
        let tables = database.tables.jobs
        let own = tables.claims.filter { $0.key.incarnation == self.incarnation }
        let now = database.clock
        for (key, claim) in own.sorted(by: { ($0.value.epoch, $0.key.job) < ($1.value.epoch, $1.key.job) }) {
            guard let content = tables.jobs[key.job]?.content, let epoch = Epoch(rawValue: claim.epoch),
                let job = ClaimedJob(
                    content, claim, epoch: epoch, checkpoint: tables.progress[key.job], now: now)
            else { continue }
            self.claims.append(job)
        }
        return .committed
    }
}

/// `deadlines`: claims that have one.
final class ClaimDeadlinesStatement: Statement {
    let after: JobTitle?
    let limit: Int
    private(set) var claims: [OverdueClaim] = []

    init(after: JobTitle?, limit: Int) {
        self.after = after
        self.limit = limit
    }

    override var title: String { "read deadlines of claims" }

    override func advance(_ database: Database) -> Advance {
        guard !database.tables.jobs.claims.isEmpty else { return .committed }
        let from = (self.after?.epoch.rawValue ?? 0, self.after?.job.rawValue ?? 0)
        let rows = database.tables.jobs.claims.filter {
            $0.value.deadline != nil && ($0.value.epoch, $0.key.job) > from
        }
        let sorted = rows.sorted { ($0.value.epoch, $0.key.job) < ($1.value.epoch, $1.key.job) }
        for (key, claim) in sorted.prefix(self.limit) {
            guard let job = JobID(rawValue: key.job), let epoch = Epoch(rawValue: claim.epoch),
                let deadline = claim.deadline
            else { continue }
            self.claims.append(OverdueClaim(title: JobTitle(job: job, epoch: epoch), deadline: deadline))
        }
        return .committed
    }
}

/// `note`: under the claim, whose row is locked.
final class NoteProgressStatement: RightfulStatement {
    let jobTitle: JobTitle
    let checkpoint: String?
    private(set) var isHeld = false

    init(_ checkpoint: String?, of title: JobTitle, _ right: NodeRight) {
        self.jobTitle = title
        self.checkpoint = checkpoint
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "note progress" }

    override func advance(_ database: Database) -> Advance {
        if let advance = self.checkRight(database) { return advance }
        let job = self.jobTitle.job.rawValue
        let key = ClaimKey(incarnation: self.incarnation, job: job)
        guard self.isRightful, database.tables.jobs.claims[key]?.epoch == self.jobTitle.epoch.rawValue else {
            return .committed
        }
        switch self.stage {
        case 2:
            guard self.lock(.claim(job), .share, in: database) else { return .wait }
            self.stage = 3
            return .more
        case 3:
            guard self.lock(.progress(job), .update, in: database) else { return .wait }
            self.stage = 4
            return .more
        default:
            if let checkpoint = self.checkpoint { database.tables.jobs.progress[job] = checkpoint }
            database.synced()
            database.judge?.noted(key, epoch: self.jobTitle.epoch.rawValue)
            self.isHeld = true
            return .committed
        }
    }
}
