import ClusterModel
import ClusterPorts

/// The queue's rows; docs/QUEUE.md says what each table is.
///
/// Times are the database's, in microseconds. A copy is a snapshot.
struct JobTables {
    var jobs: [Int64: JobRow] = [:]
    /// By lane, each in the order of rank and job; a lane without rows is not there.
    var ready: [JobLane: ContiguousArray<ReadyRow>] = [:]
    var later: [Int64: LaterRow] = [:]
    /// By key, each in the order of its tickets.
    var waiting: [String: ContiguousArray<WaitingRow>] = [:]
    var claims: [ClaimKey: ClaimRow] = [:]
    var outcomes: [Int64: OutcomeRow] = [:]
    var keys: [String: KeyRow] = [:]
    var slots: [SlotKey: SlotRow] = [:]
    var policies: [JobScope: PolicyRow] = [:]
    var submissions: [SubmissionKey: SubmissionRow] = [:]
    var progress: [Int64: String] = [:]
    /// The row that is compared with ``limitSequence``.
    var limitNumber: Int64 = 1

    // Sequences: they go on whatever becomes of the statement that drew.
    var jobNumber: Int64 = 0
    var jobAgain: Int64 = 0
    var limitSequence: Int64 = 1

    /// What heartbeats tell: rises when something may be ready.
    var news: Int64 { self.jobNumber + self.jobAgain }
    var readyCount: Int { self.ready.values.reduce(0) { $0 + $1.count } }

    mutating func addReady(_ row: ReadyRow, to lane: JobLane) {
        var rows = self.ready.removeValue(forKey: lane) ?? []
        rows.insert(row, at: rows.firstIndex { row < $0 } ?? rows.endIndex)
        self.ready[lane] = rows
    }

    @discardableResult
    mutating func removeReady(_ job: Int64, from lane: JobLane) -> ReadyRow? {
        guard var rows = self.ready.removeValue(forKey: lane) else { return nil }
        let place = rows.firstIndex { $0.job == job }
        let row = place.map { rows.remove(at: $0) }
        if !rows.isEmpty { self.ready[lane] = rows }
        return row
    }

    func isReady(_ job: Int64, in lane: JobLane) -> Bool {
        self.ready[lane]?.contains { $0.job == job } ?? false
    }

    func waits(_ key: String, _ ticket: Int64) -> WaitingRow? {
        self.waiting[key]?.first { $0.ticket == ticket }
    }

    mutating func removeWaiting(_ key: String, _ ticket: Int64) {
        self.waiting[key]?.removeAll { $0.ticket == ticket }
        if self.waiting[key]?.isEmpty ?? false { self.waiting[key] = nil }
    }

    /// Whether somebody works under a slot; a slot without its claim counts for nothing.
    func isLive(_ slot: SlotRow) -> Bool {
        self.claims[ClaimKey(incarnation: slot.incarnation, job: slot.job)]?.epoch == slot.epoch
    }

    func unsettled() -> [JobScope] {
        self.policies.filter { $0.value.slots != nil && !$0.value.isSettled }.keys
            .sorted { $0.description < $1.description }
    }
}

/// What a job is: written once, but for its ticket.
struct JobRow {
    let content: JobContent
    var ticket: Int64?
}

final class JobContent {
    let id: Int64
    let spec: JobSpec
    let lane: JobLane

    init(id: Int64, spec: JobSpec) {
        self.id = id
        self.spec = spec
        self.lane = Self.lane(spec)
    }

    var kindScope: JobScope { .kind(self.spec.kind) }
    var scopes: [JobScope] {
        [self.kindScope] + (self.spec.account.map { [.account($0)] } ?? [])
    }

    /// Another hash than the database's: equal lanes are equal in both.
    static func lane(_ spec: JobSpec) -> JobLane {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01b3
        }
        mix(spec.kind.description)
        if let account = spec.account { mix(account.description) }
        if !spec.requires.isEmpty { for place in Set(spec.requires).sorted() { mix(place) } }
        return JobLane(Int64(bitPattern: hash))
    }

    /// When it was due, less what its priority is worth.
    func rank(due: Int64) -> Int64 { due - Int64(self.spec.priority - 5) * 60_000_000 }
    func waited(rank: Int64, now: Int64) -> Int64 { now - rank - Int64(self.spec.priority - 5) * 60_000_000 }
}

struct ReadyRow: Comparable {
    var rank: Int64
    var job: Int64
    var attempt: Int

    static func < (left: ReadyRow, right: ReadyRow) -> Bool {
        left.rank != right.rank ? left.rank < right.rank : left.job < right.job
    }
}

struct LaterRow {
    var dueAt: Int64
    var lane: JobLane
    var rank: Int64
    var attempt: Int
}

struct WaitingRow {
    var ticket: Int64
    var job: Int64
    var lane: JobLane
    var rank: Int64
    var dueAt: Int64?
}

struct ClaimKey: Hashable, Comparable {
    var incarnation: Int64
    var job: Int64

    static func < (left: ClaimKey, right: ClaimKey) -> Bool {
        left.incarnation != right.incarnation ? left.incarnation < right.incarnation : left.job < right.job
    }
}

struct ClaimRow {
    var epoch: Int64
    var slot: Int16
    var lane: JobLane
    var rank: Int64
    var attempt: Int
    var isKeyed: Bool
    var isLimited: Bool
    var deadline: Duration?
}

struct OutcomeRow: Equatable {
    enum Status: String {
        case done = "d"
        case failed = "f"
        case cancelled = "c"
    }
    var status: Status
    var attempt: Int
    var epoch: Int64?
    var endedAt: Int64
}

struct KeyRow: Equatable {
    var head: Int64
    var tail: Int64
    var passed: Int64
}

struct SlotKey: Hashable {
    var scope: JobScope
    var slot: Int
}

struct SlotRow: Equatable {
    var incarnation: Int64
    var job: Int64
    var epoch: Int64
}

struct PolicyRow: Equatable {
    var slots: Int?
    var isSettled = false
    var perNode: Int?
    var weight: Double = 1
    var requires: [String] = []
    var revision: Int64 = 1
}

struct SubmissionKey: Hashable, Comparable {
    var submitter: String
    var key: String

    static func < (left: SubmissionKey, right: SubmissionKey) -> Bool {
        left.submitter != right.submitter ? left.submitter < right.submitter : left.key < right.key
    }
}

struct SubmissionRow {
    var job: Int64
    var spec: JobSpec
    var at: Int64

    /// The same content, whoever sends it.
    func isSame(as other: JobSpec) -> Bool {
        var (left, right) = (self.spec, other)
        left.submitter = ""
        right.submitter = ""
        left.idempotencyKey = nil
        right.idempotencyKey = nil
        left.requires = Set(left.requires).sorted()
        right.requires = Set(right.requires).sorted()
        left.delay = left.delay ?? .zero
        right.delay = right.delay ?? .zero
        return left == right
    }
}

/// A row of a shard; see docs/SHARDS.md.
struct ShardRow: Equatable {
    var wanted: Int64?
    var term: Int64 = 0
    var movedAt: Int64 = 0
    var owner: Int64?
    var epoch: Int64?
    var pinned: NodeName?
    var load: Double = 0
    /// How often its owners wrote.
    var writes: Int64 = 0
}
