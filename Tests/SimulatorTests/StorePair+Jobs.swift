import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Simulator
import Testing

/// Operations of the queue: few kinds, keys and limits, so that jobs meet.
extension StorePair {
    private static let kinds = ["copy", "hook"]

    private func spec() throws -> JobSpec {
        let kind = try #require(JobKind(Self.kinds[self.lots.below(2)]))
        var spec = JobSpec(kind: kind, payload: #"{"n": 1}"#, submitter: "client-\(self.lots.below(2))")
        if self.lots.chance(500) { spec.account = self.account.id }
        if self.lots.chance(400) { spec.orderKey = "key-\(self.lots.below(3))" }
        if self.lots.chance(200) { spec.delay = .seconds(self.lots.pick([37, 333, 1_777]) ?? 37) }
        if self.lots.chance(150) { spec.deadline = .seconds(5) }
        if self.lots.chance(150) { spec.requires = ["zone=b", "zone=a"] }
        if self.lots.chance(150) { spec.priority = 8 }
        if self.lots.chance(300) { spec.idempotencyKey = "\(self.lots.below(12))" }
        spec.bytes = Int64(self.lots.below(2))
        spec.maxAttempts = 1 + self.lots.below(3)
        return spec
    }

    func enqueueJobs() async throws {
        var specs: [JobSpec] = []
        for _ in 0...self.lots.below(4) { specs.append(try self.spec()) }
        let real = try await self.real.enqueue(specs)
        self.compare("\(specs.count) jobs are enqueued", real, try self.simulated.enqueue(specs))
        for answer in real { if case .enqueued(let id) = answer { self.jobs.append(id) } }
    }

    private func someJob() -> JobID? {
        guard !self.jobs.isEmpty else { return nil }
        return self.jobs[self.jobs.count - 1 - self.lots.below(min(self.jobs.count, 15))]
    }

    /// What must be the same of a lane: its number is not.
    private struct LaneShape: Equatable, Comparable {
        let text: String
        init(_ lane: LaneBacklog) {
            let account = lane.account.map { "\($0)" } ?? "nobody"
            self.text =
                "\(lane.kind) \(account) \(lane.requires) ready \(lane.ready) room \(lane.room ?? -1) weight \(lane.weight)"
        }
        static func < (left: LaneShape, right: LaneShape) -> Bool { left.text < right.text }
    }

    func claimJobs() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.survey(after: nil, lanes: 100, depth: 1_000)
            .map { (LaneShape($0), $0) }.sorted { $0.0 < $1.0 }
        let simulated = try self.simulated.survey(after: nil, lanes: 100, depth: 1_000)
            .map { (LaneShape($0), $0) }.sorted { $0.0 < $1.0 }
        self.compare("survey", real.map(\.0.text), simulated.map(\.0.text))
        guard !real.isEmpty, real.map(\.0) == simulated.map(\.0) else { return }
        let chosen = real.indices.filter { _ in self.lots.chance(600) }.map { ($0, 1 + self.lots.below(3)) }
        guard !chosen.isEmpty else { return }
        func shares(_ lanes: [LaneBacklog]) -> [LaneShare] {
            chosen.map { index, most in
                LaneShare(
                    lane: lanes[index].lane, kind: lanes[index].kind, account: lanes[index].account,
                    from: most == 1 ? lanes[index].firstRank : nil, most: most)
            }
        }
        let got = try await self.real.claim(shares(real.map(\.1)), by: right)
        let other = try self.simulated.claim(shares(simulated.map(\.1)), by: right)
        self.compare("\(right.incarnation) claims", got.map(Self.shapes), other.map(Self.shapes))
        self.remember(got ?? [], other ?? [], right)
    }

    private static func shapes(_ jobs: [ClaimedJob]) -> [String] {
        jobs.sorted { $0.title.job < $1.title.job }.map { job in
            "\(job.title.job) \(job.kind) attempt \(job.attempt) of \(job.maxAttempts) \(job.bytes) "
                + "\(job.deadline.map { "\($0)" } ?? "") \(job.checkpoint ?? "")"
        }
    }

    private func remember(_ real: [ClaimedJob], _ simulated: [ClaimedJob], _ right: NodeRight) {
        for job in real {
            guard let other = simulated.first(where: { $0.title.job == job.title.job }) else { continue }
            self.claimed.append(Claimed(real: job.title, simulated: other.title, right: right))
        }
    }

    /// One of the newest claims, whatever became of it; mostly with the node that it was given to.
    private func someClaim() -> Claimed? {
        guard !self.claimed.isEmpty else { return nil }
        var claim = self.claimed[self.claimed.count - 1 - self.lots.below(min(self.claimed.count, 10))]
        if self.lots.chance(150), let place = self.place() { claim.right = self.nodes[place].right }
        return claim
    }

    func finishJobs() async throws {
        guard let first = self.someClaim() else { return }
        var claims = [first]
        for _ in 0..<self.lots.below(3) {
            guard let other = self.someClaim(), other.right == first.right,
                !claims.contains(where: { $0.real.job == other.real.job })
            else { continue }
            claims.append(other)
        }
        let ends: [JobEnd] = claims.map { _ in
            switch self.lots.below(9) {
            case 0: .failed(reason: "never")
            case 1: .retry(after: .seconds(333), reason: "not yet")
            case 2: .retry(after: .zero, reason: "not yet")
            case 3: .givenBack(reason: "not here")
            case 4: .postponed(for: .seconds(self.lots.chance(500) ? 333 : 0), reason: "busy")
            default: .done(note: nil)
            }
        }
        func endings(_ title: (Claimed) -> JobTitle) -> [JobEnding] {
            zip(claims, ends).map { JobEnding(title: title($0), end: $1) }
        }
        let real = try await self.real.finish(endings(\.real), by: first.right)
        self.compare(
            "\(first.right.incarnation) ends \(claims.map(\.real.job))", real,
            try self.simulated.finish(endings(\.simulated), by: first.right))
    }

    func noteJob() async throws {
        guard let claim = self.someClaim() else { return }
        let checkpoint = "{\"at\": \(self.lots.below(100))}"
        let real = try await self.real.note(
            JobProgress(fraction: 0.5, checkpoint: checkpoint), of: claim.real, by: claim.right)
        self.compare(
            "\(claim.right.incarnation) notes how far \(claim.real.job) is", real,
            try self.simulated.note(checkpoint, of: claim.simulated, by: claim.right))
    }

    func readClaims() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.claims(of: right, after: nil)
        self.compare(
            "claims of \(right.incarnation)", Self.shapes(real),
            Self.shapes(try self.simulated.claims(of: right)))
    }

    func sweepClaims() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.sweepClaims(limit: 1_000, by: right)
        self.compare(
            "\(right.incarnation) sweeps claims", real,
            try self.simulated.sweepClaims(limit: 1_000, by: right))
    }

    func stageJobs() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.stage(limit: 100, by: right)
        let simulated = try self.simulated.stage(limit: 100, by: right)
        self.compare("\(right.incarnation) stages", real.ready, simulated.ready)
        self.compare("there is more to stage", real.nextIn == nil, simulated.nextIn == nil)
    }

    func sweepOverdueClaims() async throws {
        guard let place = self.place(), let claim = self.someClaim() else { return }
        let right = self.nodes[place].right
        let deadlines: [OverdueCandidate] = try await self.real.deadlines(after: nil, limit: 1_000)
        self.compare(
            "deadlines of claims", deadlines.map(\.title.job),
            try self.simulated.claimsWithDeadlines().map(\.title.job))
        let real = try await self.real.sweepOverdue([claim.real], by: right)
        self.compare(
            "\(right.incarnation) sweeps \(claim.real.job) as overdue", real.map(\.job),
            try self.simulated.sweepOverdue([claim.simulated], by: right).map(\.job))
    }

    func cancelJob() async throws {
        guard let job = self.someJob() else { return }
        let real = try await self.real.cancel([job], by: "anna", reason: nil)
        self.compare("job \(job) is cancelled", real, try self.simulated.cancel([job]))
    }

    func sendBackJob() async throws {
        guard let job = self.someJob() else { return }
        let real = try await self.real.retry([job], by: "anna")
        self.compare("job \(job) is sent back", real, try self.simulated.retry([job]))
    }

    private func scope() throws -> JobScope {
        self.lots.chance(600)
            ? .kind(try #require(JobKind(Self.kinds[self.lots.below(2)]))) : .account(self.account.id)
    }

    func setPolicy() async throws {
        let policy = JobPolicy(
            scope: try self.scope(), slots: self.lots.chance(800) ? self.lots.below(4) : nil, perNode: nil,
            weight: 1, requires: [], revision: 0)
        _ = try await self.real.set(policy, ifRevision: nil)
        try self.simulated.set(policy)
        self.compare("\(policy.scope) is limited to \(policy.slots ?? -1)", 0, 0)
    }

    func removePolicy() async throws {
        let scope = try self.scope()
        let real = try await self.real.removePolicy(scope)
        self.compare("\(scope) is limited no more", real, try self.simulated.removePolicy(scope))
    }

    func tidyJobs() async throws {
        let leader = try self.simulated.view().leader
        let leading = self.nodes.first { $0.right.incarnation == leader?.incarnation }
        guard let place = self.place() else { return }
        let right =
            self.lots.chance(800) ? leading?.right ?? self.nodes[place].right : self.nodes[place].right
        let by = LeaderRight(right: right, term: self.term)
        let kept: Duration = self.lots.chance(300) ? .zero : .seconds(2_003)
        // Which keys go first is left to the server.
        let limit = 1_000
        let real = try await self.real.tidy(kept: kept, limit: limit, partitions: 0, by: by)
        self.compare(
            "\(right.incarnation) tidies", real.rows,
            try self.simulated.tidy(kept: kept, limit: limit, by: by))
    }

    // MARK: Rows

    /// As ``SimulatedStore/queueRows()``.
    func compareQueue(after what: String) async throws {
        let rows = try await self.database.pool.query(
            """
            select j.id || ' ' || p.place || ' ticket ' || coalesce(j.ticket::text, 'none') from flotilla.job j
            join (
                select job, 'ready ' || attempt as place from flotilla.ready
                union all select job, 'later ' || attempt from flotilla.later
                union all select job, 'waiting ' || ticket from flotilla.waiting
                union all select job, 'claimed ' || attempt || ' by ' || incarnation || ' ' || keyed || ' ' || limited
                    from flotilla.claim
                union all select job, status::text || ' ' || attempt from flotilla.outcome
            ) p on p.job = j.id
            union all select order_key || ' ' || head || ' ' || tail || ' ' || passed from flotilla.job_key
            union all select scope || ' ' || coalesce(slots::text, 'none') || ' ' || settled from flotilla.job_policy
            union all select submitter || ' ' || idempotency_key || ' is ' || job from flotilla.job_submission
            union all select scope || ' ' || slot || ' ' || incarnation || ' ' || job from flotilla.claim_slot
            """)
        let real = try rows.map { try $0[0, as: String.self] }.sorted()
        self.compare("\(what), the queue", real, self.simulated.queueRows())
        let order = try await self.database.pool.query("select job from flotilla.ready order by rank, job")
        self.compare(
            "\(what), ready", try order.map { try $0[0, as: Int64.self] }, self.simulated.readyOrder())
    }

    /// What is due is due earlier.
    func ageJobs(by seconds: Int) async throws {
        for statement in [
            "update flotilla.ready set rank = rank - \(seconds)::int8 * 1000000",
            """
            update flotilla.later set rank = rank - \(seconds)::int8 * 1000000,
                due_at = due_at - \(seconds) * interval '1 second'
            """,
            """
            update flotilla.waiting set rank = rank - \(seconds)::int8 * 1000000,
                due_at = due_at - \(seconds) * interval '1 second'
            """,
            "update flotilla.claim set rank = rank - \(seconds)::int8 * 1000000",
            "update flotilla.outcome set ended_at = ended_at - \(seconds) * interval '1 second'",
            "update flotilla.job_submission set at = at - \(seconds) * interval '1 second'",
        ] as [PostgresStatement] {
            _ = try await self.database.pool.query(statement)
        }
    }
}
