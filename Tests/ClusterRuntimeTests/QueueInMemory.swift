import ClusterModel
import ClusterPorts
import ClusterRuntime
import Synchronization

/// A queue with the rules of the real one, and faults on demand: one step at a time, nothing kept.
final class QueueInMemory: JobStore {
    enum Place: Equatable {
        case ready
        case later(ClusterInstant)
        case waiting
        case claimed(Incarnation, Epoch)
        case done, failed, cancelled
    }

    struct Row {
        var spec: JobSpec
        var lane: JobLane
        var place: Place
        var attempt = 0
        var ticket: Int?
        var checkpoint: String?
        /// Accepted endings that were `done`.
        var completions = 0
    }

    struct State {
        var rows: [JobID: Row] = [:]
        var lanes: [String: JobLane] = [:]
        var heads: [String: (head: Int, tail: Int)] = [:]
        var epoch: Int64 = 0
        var live: Set<Incarnation> = []
        var losses: [Incarnation: [LeaseLoss]] = [:]
        var losesClaims = 0
        var losesFinishes = 0
        var failures = 0
        var refusedNote: String?
        var statements: [String: Int] = [:]
        var perNode: Int?
        var largestBatch = 0
    }

    let state = Mutex(State())

    // MARK: What tests see and do

    func live(_ right: NodeRight) { self.state.withLock { _ = $0.live.insert(right.incarnation) } }
    func evict(_ right: NodeRight) { self.state.withLock { _ = $0.live.remove(right.incarnation) } }
    func change(_ body: (inout State) -> Void) { self.state.withLock { body(&$0) } }
    func place(_ id: JobID) -> Place? { self.state.withLock { $0.rows[id]?.place } }
    func statements(_ name: String) -> Int { self.state.withLock { $0.statements[name] ?? 0 } }
    var places: [Place] { self.state.withLock { $0.rows.values.map(\.place) } }
    var completions: [Int] { self.state.withLock { $0.rows.values.map(\.completions) } }
    var attempts: [Int] { self.state.withLock { $0.rows.values.map(\.attempt) } }
    var isOver: Bool { self.places.allSatisfy { $0 == .done || $0 == .failed || $0 == .cancelled } }

    /// By an operator; a holder is told by its losses.
    ///
    /// Answers how many losses it has by now.
    @discardableResult
    func cancel(_ id: JobID) -> Int64 {
        self.state.withLock { state in
            guard let place = state.rows[id]?.place else { return 0 }
            state.rows[id]?.place = .cancelled
            guard case .claimed(let holder, let epoch) = place else { return 0 }
            return Self.tell(holder, JobTitle(job: id, epoch: epoch), &state)
        }
    }

    private static func tell(_ holder: Incarnation, _ title: JobTitle, _ state: inout State) -> Int64 {
        let number = Int64(state.losses[holder]?.count ?? 0) + 1
        guard let kind = LeaseKind("job"), let subject = LeaseSubject(kind: kind, id: "\(title.job)") else {
            return 0
        }
        state.losses[holder, default: []].append(
            LeaseLoss(number: number, title: LeaseTitle(subject: subject, epoch: title.epoch)))
        return number
    }

    /// Endings are not answered while it holds.
    let silence = Silence()

    // MARK: The store

    private func step<Answer>(
        _ name: String, _ body: (inout State) throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let result = self.state.withLock { state -> Result<Answer, StoreError> in
            state.statements[name, default: 0] += 1
            if state.failures > 0 {
                state.failures -= 1
                return .failure(.notRun("a fault"))
            }
            do throws(StoreError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    func enqueue(_ specs: [JobSpec]) async throws(StoreError) -> [EnqueueAnswer] {
        try self.step("enqueue") { state in
            specs.compactMap { spec in
                guard let id = JobID(rawValue: Int64(state.rows.count) + 1) else { return nil }
                let name = "\(spec.kind)/\(spec.account?.description ?? "")/\(spec.requires)"
                let lane = state.lanes[name] ?? JobLane(Int64(state.lanes.count) + 1)
                state.lanes[name] = lane
                var row = Row(spec: spec, lane: lane, place: .ready)
                if let delay = spec.delay { row.place = .later(SteadyClock.now().advanced(by: delay)) }
                if let key = spec.orderKey {
                    let known = state.heads[key] ?? (0, 0)
                    row.ticket = known.tail
                    if known.tail > known.head { row.place = .waiting }
                    state.heads[key] = (known.head, known.tail + 1)
                }
                state.rows[id] = row
                return .enqueued(id)
            }
        }
    }

    func survey(after lane: JobLane?, lanes: Int, depth: Int) async throws(StoreError) -> [LaneBacklog] {
        try self.step("survey") { state in
            let ready = state.rows.filter {
                $0.value.place == .ready && $0.value.lane > lane ?? JobLane(.min)
            }
            let byLane = Dictionary(grouping: ready, by: \.value.lane)
            return byLane.keys.sorted().prefix(lanes).compactMap { lane in
                guard let jobs = byLane[lane], let first = jobs.min(by: { $0.key < $1.key }) else {
                    return nil
                }
                let spec = first.value.spec
                return LaneBacklog(
                    lane: lane, kind: spec.kind, account: spec.account, requires: spec.requires,
                    ready: min(depth, jobs.count), firstRank: first.key.rawValue, waited: .zero,
                    perNode: state.perNode)
            }
        }
    }

    func claim(_ shares: [LaneShare], by right: NodeRight) async throws(StoreError) -> [ClaimedJob]? {
        try self.step("claim") { state throws(StoreError) in
            guard state.live.contains(right.incarnation) else { return nil }
            state.epoch += 1
            guard let epoch = Epoch(rawValue: state.epoch) else { return nil }
            var claimed: [ClaimedJob] = []
            for share in shares {
                let ids = state.rows.filter {
                    $0.value.place == .ready && $0.value.lane == share.lane
                        && $0.key.rawValue >= share.from ?? 0
                }.keys.sorted().prefix(share.most)
                for id in ids {
                    state.rows[id]?.place = .claimed(right.incarnation, epoch)
                    state.rows[id]?.attempt += 1
                    if let job = Self.claimed(id, epoch, state) { claimed.append(job) }
                }
            }
            if state.losesClaims > 0 {
                state.losesClaims -= 1
                throw .mayHaveRun("the answer was lost")
            }
            return claimed
        }
    }

    private static func claimed(_ id: JobID, _ epoch: Epoch, _ state: State) -> ClaimedJob? {
        guard let row = state.rows[id] else { return nil }
        var job = ClaimedJob(
            title: JobTitle(job: id, epoch: epoch), lane: row.lane, kind: row.spec.kind,
            account: row.spec.account, payload: row.spec.payload, bytes: row.spec.bytes, attempt: row.attempt,
            maxAttempts: row.spec.maxAttempts, deadline: row.spec.deadline, checkpoint: row.checkpoint,
            waited: .zero)
        job.rank = id.rawValue
        job.isOrdered = row.ticket != nil
        return job
    }

    func claims(of right: NodeRight, after title: JobTitle?) async throws(StoreError) -> [ClaimedJob] {
        try self.step("claims") { state in
            state.rows.compactMap { id, row in
                guard case .claimed(right.incarnation, let epoch) = row.place else { return nil }
                return Self.claimed(id, epoch, state)
            }.filter { job in
                guard let title else { return true }
                return (job.title.epoch, job.title.job) > (title.epoch, title.job)
            }.sorted { ($0.title.epoch, $0.title.job) < ($1.title.epoch, $1.title.job) }
        }
    }

    func finish(_ endings: [JobEnding], by right: NodeRight) async throws(StoreError) -> [JobEndAnswer] {
        try await self.silence.pass()
        return try self.step("finish") { state throws(StoreError) in
            for ending in endings {
                if let note = state.refusedNote, ending.end == .done(note: note) {
                    throw .refused(sqlState: "22021", message: "no such text")
                }
            }
            state.largestBatch = max(state.largestBatch, endings.count)
            let answers = endings.map { Self.end($0, by: right, &state) }
            if state.losesFinishes > 0 {
                state.losesFinishes -= 1
                throw .mayHaveRun("the answer was lost")
            }
            return answers
        }
    }

    private static func end(_ ending: JobEnding, by right: NodeRight, _ state: inout State) -> JobEndAnswer {
        let id = ending.title.job
        guard state.live.contains(right.incarnation), var row = state.rows[id],
            row.place == .claimed(right.incarnation, ending.title.epoch)
        else { return .fenced }
        var answer = JobEndAnswer.accepted
        switch ending.end {
        case .done:
            row.place = .done
            row.completions += 1
        case .failed: row.place = .failed
        case .givenBack:
            row.place = .ready
            row.attempt -= 1
        case .postponed(let pause, _):
            row.place = .later(SteadyClock.now().advanced(by: pause))
            row.attempt -= 1
        case .retry(let after, _):
            if row.attempt >= row.spec.maxAttempts {
                row.place = .failed
                answer = .acceptedAsFailed
            } else {
                row.place = .later(SteadyClock.now().advanced(by: after))
            }
        }
        state.rows[id] = row
        if let key = row.spec.orderKey, row.place == .done || row.place == .failed {
            state.heads[key]?.head += 1
        }
        return answer
    }

    func note(
        _ progress: JobProgress, of title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Bool {
        try self.step("note") { state in
            guard state.live.contains(right.incarnation),
                state.rows[title.job]?.place == .claimed(right.incarnation, title.epoch)
            else { return false }
            state.rows[title.job]?.checkpoint = progress.checkpoint
            return true
        }
    }

    func sweepClaims(limit: Int, by right: NodeRight) async throws(StoreError) -> SweptClaims {
        try self.step("sweep") { state in
            var swept = SweptClaims(ready: 0, failed: 0)
            for (id, row) in state.rows {
                guard case .claimed(let holder, _) = row.place, !state.live.contains(holder) else { continue }
                state.rows[id]?.place = row.attempt >= row.spec.maxAttempts ? .failed : .ready
                if row.attempt >= row.spec.maxAttempts { swept.failed += 1 } else { swept.ready += 1 }
            }
            return swept
        }
    }

    func stage(limit: Int, by right: NodeRight) async throws(StoreError) -> StagedJobs {
        try self.step("stage") { state in
            let now = SteadyClock.now()
            var staged = StagedJobs(ready: 0, nextIn: nil)
            for (id, row) in state.rows {
                switch row.place {
                case .later(let due) where due <= now:
                    state.rows[id]?.place = .ready
                    staged.ready += 1
                case .later(let due): staged.nextIn = min(staged.nextIn ?? .seconds(9), due.since(now))
                case .waiting where row.ticket == row.spec.orderKey.flatMap { state.heads[$0]?.head }:
                    state.rows[id]?.place = .ready
                    staged.ready += 1
                case .ready, .waiting, .claimed, .done, .failed, .cancelled: break
                }
            }
            return staged
        }
    }

    func deadlines(after title: JobTitle?, limit: Int) async throws(StoreError) -> [OverdueCandidate] {
        try self.step("deadlines") { state in
            state.rows.compactMap { id, row in
                guard case .claimed(_, let epoch) = row.place, let deadline = row.spec.deadline else {
                    return nil
                }
                return OverdueCandidate(title: JobTitle(job: id, epoch: epoch), deadline: deadline)
            }
        }
    }

    func sweepOverdue(_ titles: [JobTitle], by right: NodeRight) async throws(StoreError) -> [JobTitle] {
        try self.step("sweepOverdue") { state in
            titles.filter { title in
                guard case .claimed(let holder, title.epoch)? = state.rows[title.job]?.place else {
                    return false
                }
                state.rows[title.job]?.place = .ready
                _ = Self.tell(holder, title, &state)
                return true
            }
        }
    }

    func tidy(
        kept: Duration, limit: Int, partitions most: Int, by leader: LeaderRight
    ) async throws(StoreError) -> TidiedJobs {
        try self.step("tidy") { _ in TidiedJobs(rows: 0, partitions: 0) }
    }
}

/// Of the leases only what the queue tells of losses.
struct LossesInMemory: LeaseStore {
    let queue: QueueInMemory

    func losses(of incarnation: Incarnation, after number: Int64) async throws(StoreError) -> [LeaseLoss] {
        self.queue.state.withLock { state in
            (state.losses[incarnation] ?? []).filter { $0.number > number }
        }
    }

    private static let none = StoreError.notRun("there are no leases here")

    func acquire(_ requests: [LeaseRequest], by right: NodeRight) async throws(StoreError) -> [LeaseAnswer] {
        throw Self.none
    }
    func end(_ titles: [LeaseTitle], by right: NodeRight) async throws(StoreError) -> [Bool] {
        throw Self.none
    }
    func leases(of subjects: [LeaseSubject]) async throws(StoreError) -> [LeaseRecord] { throw Self.none }
    func leases(_ query: LeaseQuery) async throws(StoreError) -> [LeaseRecord] { throw Self.none }
    func forceEnd(_ title: LeaseTitle) async throws(StoreError) -> LeaseRecord? { throw Self.none }
    func sweepDead(limit: Int, by right: NodeRight) async throws(StoreError) -> [LeaseRecord] {
        throw Self.none
    }
    func deadlines(after epoch: Epoch?, limit: Int) async throws(StoreError) -> [LeaseRecord] {
        throw Self.none
    }
    func sweepOverdue(_ titles: [LeaseTitle], by right: NodeRight) async throws(StoreError) -> [LeaseTitle] {
        throw Self.none
    }
}
