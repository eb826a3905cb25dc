package import ClusterModel
package import ClusterPorts
import Coordinator

/// The queue as `JobStore` and `JobControl` have it, each call with all its statements.
extension SimulatedStore {
    package func enqueue(_ specs: [JobSpec]) throws(StoreError) -> [EnqueueAnswer] {
        let ids = try self.run(EnqueueJobsStatement(specs)).ids
        let found = try self.run(LookUpSubmissionsStatement(specs)).found
        var answers: [EnqueueAnswer] = []
        for (place, id) in ids.enumerated() {
            if let id = id.flatMap({ JobID(rawValue: $0) }) {
                answers.append(.enqueued(id))
            } else if let (job, isSame) = found[place], let id = JobID(rawValue: job) {
                answers.append(isSame ? .duplicate(id) : .keyReused(id))
            }
        }
        return answers
    }

    package func survey(after lane: JobLane?, lanes: Int, depth: Int) throws(StoreError) -> [LaneBacklog] {
        try self.run(SurveyStatement(after: lane, lanes: lanes, depth: depth)).backlog
    }

    package func claim(_ shares: [LaneShare], by right: NodeRight) throws(StoreError) -> [ClaimedJob]? {
        var statement = ClaimJobsStatement(shares, right)
        for attempt in 0..<4 {
            statement = try self.run(statement)
            guard statement.isRightful else { return nil }
            guard statement.isActive, statement.isStale || statement.meetsLimits else {
                return statement.jobs
            }
            statement = ClaimJobsStatement(
                shares, right, isLimited: statement.meetsLimits, attempt: attempt)
        }
        if statement.isStale { _ = try self.run(RaiseLimitNumberStatement()) }
        return []
    }

    package func claims(of right: NodeRight) throws(StoreError) -> [ClaimedJob] {
        try self.run(ClaimsStatement(of: right)).claims
    }

    package func finish(_ endings: [JobEnding], by right: NodeRight) throws(StoreError) -> [JobEndAnswer] {
        let statement = try self.run(FinishJobsStatement(endings, right))
        try self.stage(statement.waitingKeys, by: right)
        return statement.answers
    }

    private func stage(_ keys: [String], by right: NodeRight) throws(StoreError) {
        if !keys.isEmpty { _ = try self.run(StageJobsStatement(keys: keys, right)) }
    }

    package func note(
        _ checkpoint: String?, of title: JobTitle, by right: NodeRight
    ) throws(StoreError) -> Bool {
        try self.run(NoteProgressStatement(checkpoint, of: title, right)).isHeld
    }

    package func sweepClaims(limit: Int, by right: NodeRight) throws(StoreError) -> SweptClaims {
        let statement = try self.run(SweepClaimsStatement(limit: limit, right))
        try self.stage(statement.waitingKeys, by: right)
        if statement.isUnsettled { try self.settleLimits() }
        return SweptClaims(ready: statement.ready, failed: statement.failed)
    }

    package func stage(limit: Int, by right: NodeRight) throws(StoreError) -> StagedJobs {
        let statement = try self.run(StageJobsStatement(limit: limit, right))
        return StagedJobs(ready: statement.ready, nextIn: statement.nextIn(self.database))
    }

    /// By epoch.
    package func claimsWithDeadlines() throws(StoreError) -> [OverdueCandidate] {
        try self.run(ClaimDeadlinesStatement(after: nil, limit: 1_000)).claims.map {
            OverdueCandidate(title: $0.title, deadline: $0.deadline)
        }
    }

    package func sweepOverdue(_ titles: [JobTitle], by right: NodeRight) throws(StoreError) -> [JobTitle] {
        let statement = try self.run(SweepOverdueStatement(titles, right))
        try self.stage(statement.waitingKeys, by: right)
        return statement.taken
    }

    package func cancel(_ ids: [JobID]) throws(StoreError) -> [JobID] {
        try self.run(CancelJobsStatement(ids.map(\.rawValue))).ended.compactMap { JobID(rawValue: $0) }
    }

    package func retry(_ ids: [JobID]) throws(StoreError) -> [JobID] {
        try self.run(SendBackStatement(ids.map(\.rawValue))).back.compactMap { JobID(rawValue: $0) }
    }

    package func set(_ policy: JobPolicy) throws(StoreError) {
        if try self.run(SetPolicyStatement(policy)).isUnsettled { try self.settleLimits() }
    }

    package func removePolicy(_ scope: JobScope) throws(StoreError) -> Bool {
        try self.run(RemovePolicyStatement(scope)).removed
    }

    /// Answers how many jobs are gone.
    package func tidy(kept: Duration, limit: Int, by leader: LeaderRight) throws(StoreError) -> Int {
        try self.run(TidyJobsStatement(kept: kept, limit: limit, leader)).gone
    }

    private func settleLimits() throws(StoreError) {
        _ = try self.run(PassClaimGateStatement())
        _ = try self.run(SettleLimitsStatement())
    }

    /// Every row of the queue, in words; ready ones in the order of their lanes.
    package func queueRows() -> [String] {
        let tables = self.database.tables.jobs
        var rows: [String] = []
        for (job, row) in tables.jobs {
            guard let place = tables.place(of: job) else { continue }
            rows.append("\(job) \(place) ticket \(row.ticket.map { "\($0)" } ?? "none")")
        }
        rows += tables.keys.map { "\($0.key) \($0.value.head) \($0.value.tail) \($0.value.passed)" }
        rows += tables.policies.map {
            "\($0.key) \($0.value.slots.map { "\($0)" } ?? "none") \($0.value.isSettled)"
        }
        rows += tables.submissions.map { "\($0.key.submitter) \($0.key.key) is \($0.value.job)" }
        rows += tables.slots.map { "\($0.key.scope) \($0.key.slot) \($0.value.incarnation) \($0.value.job)" }
        return rows.sorted()
    }

    /// Jobs of all lanes, by rank.
    package func readyOrder() -> [Int64] {
        self.database.tables.jobs.ready.values.flatMap(\.self).sorted().map(\.job)
    }
}

extension JobTables {
    /// Where a job stands, and how often it was claimed.
    fileprivate func place(of job: Int64) -> String? {
        if let outcome = self.outcomes[job] { return "\(outcome.status.rawValue) \(outcome.attempt)" }
        if let (key, claim) = self.claims.first(where: { $0.key.job == job }) {
            return "claimed \(claim.attempt) by \(key.incarnation) \(claim.isKeyed) \(claim.isLimited)"
        }
        guard let row = self.jobs[job] else { return nil }
        if let ready = self.ready[row.content.lane]?.first(where: { $0.job == job }) {
            return "ready \(ready.attempt)"
        }
        if let later = self.later[job] { return "later \(later.attempt)" }
        if let key = row.content.spec.orderKey, let ticket = row.ticket, self.waits(key, ticket) != nil {
            return "waiting \(ticket)"
        }
        return "nowhere"
    }
}
