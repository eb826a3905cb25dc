import ClusterModel
import ClusterPorts

/// `ClaimStatement.claim`, and `LimitedClaimStatement.claim` where a limit stands in the way.
final class ClaimJobsStatement: RightfulStatement {
    let shares: [LaneShare]
    let isLimited: Bool
    let attempt: Int
    private(set) var isActive = false
    private(set) var isStale = false
    private(set) var meetsLimits = false
    private(set) var jobs: [ClaimedJob] = []

    private struct Picked {
        var row: ReadyRow
        var content: JobContent
        var place: Int
        var isSlotted = false
    }
    private struct Wish {
        var key: SlotKey
        var picked: Int
    }
    private var snapshot: JobTables?
    private var picked: [Picked] = []
    private var wishes: [Wish] = []
    private var won: [Wish] = []
    private var denied: Set<Int> = []
    private var next = 0
    private var epoch: Int64 = 0

    init(_ shares: [LaneShare], _ right: NodeRight, isLimited: Bool = false, attempt: Int = 0) {
        self.shares = shares
        self.isLimited = isLimited
        self.attempt = attempt
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "claim jobs" }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 { self.snapshot = database.tables.jobs }
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful, let snapshot = self.snapshot else { return .committed }
        switch self.stage {
        case 2:
            self.isActive = database.tables.member(self.slot, self.incarnation)?.status == .active
            guard self.isActive else { return self.end() }
            let isHeeded = database.twin != .gateUnheeded
            if isHeeded {
                guard self.lock(.claimGate, .keyShare, in: database) else { return .wait }
            }
            self.isStale = isHeeded && snapshot.limitNumber != database.tables.jobs.limitSequence
            self.meetsLimits = !self.isLimited && self.isUnderLimits(snapshot)
            guard !self.isStale, !self.meetsLimits else { return self.end() }
            return self.go(to: 3)
        case 3:
            self.pick(snapshot, database)
            guard !self.picked.isEmpty else { return self.end() }
            self.epoch = database.drawEpoch()
            if self.isLimited { self.wish(\.account, snapshot) }
            return self.go(to: self.isLimited ? 4 : 6)
        case 4:
            // The account's slots come before the kind's, so nobody waits in a circle.
            guard self.takeSlots(snapshot, database) else { return self.waitsFor == nil ? .more : .wait }
            self.wish(\.kind, snapshot)
            return self.go(to: 5)
        case 5:
            guard self.takeSlots(snapshot, database) else { return self.waitsFor == nil ? .more : .wait }
            return self.go(to: 6)
        default:
            self.write(snapshot, database)
            return self.end()
        }
    }

    private func go(to stage: Int) -> Advance {
        self.stage = stage
        self.next = 0
        return .more
    }

    private func end() -> Advance {
        self.snapshot = nil
        return .committed
    }

    private func isUnderLimits(_ snapshot: JobTables) -> Bool {
        guard !snapshot.policies.isEmpty else { return false }
        return self.shares.contains { share in
            snapshot.policies[.kind(share.kind)]?.slots != nil
                || share.account.map { snapshot.policies[.account($0)]?.slots != nil } ?? false
        }
    }

    // MARK: Picking

    /// `for update skip locked`: what somebody else has, or has taken since the snapshot, is stepped over.
    private func pick(_ snapshot: JobTables, _ database: Database) {
        for (place, share) in self.shares.enumerated() {
            var most = share.most
            if self.isLimited {
                most = min(most, self.room(.kind(share.kind), snapshot))
                if let account = share.account { most = min(most, self.room(.account(account), snapshot)) }
            }
            if database.twin == .claimWithoutBound { most = .max }
            var got = 0
            for row in snapshot.ready[share.lane] ?? [] where row.rank >= share.from ?? .min {
                guard got < most else { break }
                guard database.tables.jobs.isReady(row.job, in: share.lane),
                    let content = database.tables.jobs.jobs[row.job]?.content
                else { continue }
                guard self.lock(.queued(row.job, 0), .update, in: database) else {
                    self.waitsFor = nil
                    continue
                }
                self.picked.append(Picked(row: row, content: content, place: place))
                got += 1
            }
        }
    }

    /// What a limit leaves, as the snapshot has it; one that is not settled leaves nothing.
    private func room(_ scope: JobScope, _ snapshot: JobTables) -> Int {
        guard let policy = snapshot.policies[scope], let slots = policy.slots else { return .max }
        let taken = snapshot.slots.reduce(0) {
            $0 + ($1.key.scope == scope && snapshot.isLive($1.value) ? 1 : 0)
        }
        return max(0, (policy.isSettled ? slots : 0) - taken)
    }

    // MARK: Slots

    /// Of each scope's free slots the n-th goes to its n-th job.
    private func wish(_ part: KeyPath<Limits, JobScope?>, _ snapshot: JobTables) {
        self.wishes = []
        self.next = 0
        var byScope: [JobScope: [Int]] = [:]
        for index in self.picked.indices where !self.denied.contains(index) {
            let scopes = Limits(self.picked[index].content, snapshot)
            if let scope = scopes[keyPath: part] { byScope[scope, default: []].append(index) }
        }
        for (scope, indices) in byScope.sorted(by: { $0.key.description < $1.key.description }) {
            let free = self.free(scope, snapshot)
            let room = min(self.room(scope, snapshot), free.count)
            for (nth, index) in indices.enumerated() {
                guard nth < room else {
                    self.denied.insert(index)
                    continue
                }
                self.wishes.append(Wish(key: SlotKey(scope: scope, slot: free[nth]), picked: index))
            }
        }
        self.wishes.sort {
            ($0.key.scope.description, $0.key.slot) < ($1.key.scope.description, $1.key.slot)
        }
    }

    /// Scopes of a job that have limits.
    private struct Limits {
        var account: JobScope?
        var kind: JobScope?

        init(_ content: JobContent, _ snapshot: JobTables) {
            func limited(_ scope: JobScope) -> JobScope? {
                snapshot.policies[scope]?.slots != nil ? scope : nil
            }
            self.kind = limited(content.kindScope)
            self.account = content.spec.account.flatMap { limited(.account($0)) }
        }
    }

    /// Spread, so that racers seldom meet; the lowest ones while a limit was lowered below what runs.
    private func free(_ scope: JobScope, _ snapshot: JobTables) -> [Int] {
        guard let slots = snapshot.policies[scope]?.slots, slots > 0 else { return [] }
        let taken = Set(
            snapshot.slots.filter { $0.key.scope == scope && snapshot.isLive($0.value) }.map(\.key.slot))
        let isLowered = taken.contains { $0 > slots }
        let spread = (self.incarnation & ((1 << Incarnation.sequenceBits) - 1)) * 7 + Int64(self.attempt) * 13
        let free = (1...slots).filter { !taken.contains($0) }
        guard !isLowered else { return free }
        return free.sorted {
            (Int64($0) + spread) % Int64(slots) < (Int64($1) + spread) % Int64(slots)
        }
    }

    /// `on conflict do update` where the row is one that the snapshot knows to be of nobody.
    ///
    /// False: there is more to take, or a row to wait for.
    private func takeSlots(_ snapshot: JobTables, _ database: Database) -> Bool {
        guard self.next < self.wishes.count else { return true }
        let wish = self.wishes[self.next]
        if database.twin == .slotsUnguarded {
            self.won.append(wish)
            self.next += 1
            return false
        }
        guard self.lock(.claimSlot(wish.key.scope, wish.key.slot), .update, in: database) else {
            return false
        }
        let known = snapshot.slots[wish.key]
        let row = database.tables.jobs.slots[wish.key]
        let isFree = row == nil || (known.map { row == $0 && !snapshot.isLive($0) } ?? false)
        if isFree { self.won.append(wish) } else { self.denied.insert(wish.picked) }
        self.next += 1
        return false
    }

    // MARK: Writing

    private func write(_ snapshot: JobTables, _ database: Database) {
        let checkpoints = snapshot.progress
        self.snapshot = nil
        for wish in self.won {
            database.tables.jobs.slots[wish.key] = SlotRow(
                incarnation: self.incarnation, job: self.picked[wish.picked].row.job, epoch: self.epoch)
            self.picked[wish.picked].isSlotted = true
        }
        guard let epoch = Epoch(rawValue: self.epoch) else { return }
        let now = database.clock
        for (index, picked) in self.picked.enumerated() where !self.denied.contains(index) {
            let (row, content) = (picked.row, picked.content)
            if database.twin != .claimKeepsReady {
                database.tables.jobs.removeReady(row.job, from: content.lane)
            }
            let claim = ClaimRow(
                epoch: self.epoch, slot: self.slot, lane: content.lane, rank: row.rank,
                attempt: row.attempt + 1, isKeyed: content.spec.orderKey != nil,
                isLimited: picked.isSlotted, deadline: content.spec.deadline)
            let key = ClaimKey(incarnation: self.incarnation, job: row.job)
            database.judge?.claimed(content, claim, by: self.incarnation, since: self.startedAt)
            database.tables.jobs.claims[key] = claim
            if let job = ClaimedJob(content, claim, epoch: epoch, checkpoint: checkpoints[row.job], now: now)
            {
                self.jobs.append(job)
            }
        }

        if !self.jobs.isEmpty { database.synced() }
        database.judge?.claimEnded(by: self.incarnation, database.tables.jobs)
    }
}

extension ClaimedJob {
    init?(_ content: JobContent, _ claim: ClaimRow, epoch: Epoch, checkpoint: String?, now: Int64) {
        guard let job = JobID(rawValue: content.id) else { return nil }
        self.init(
            title: JobTitle(job: job, epoch: epoch), lane: claim.lane, kind: content.spec.kind,
            account: content.spec.account, payload: content.spec.payload, bytes: content.spec.bytes,
            attempt: claim.attempt, maxAttempts: content.spec.maxAttempts, deadline: content.spec.deadline,
            checkpoint: checkpoint,
            waited: .microseconds(max(0, content.waited(rank: claim.rank, now: now))))
    }
}
