import ClusterModel

/// The simulated PostgreSQL: rows, row locks, advisory locks and a clock.
///
/// When statements take their steps is the business of ``DatabaseServer``.
final class Database {
    @exclusivity(unchecked) var tables: Tables
    @exclusivity(unchecked) var locks = RowLocks()
    let time: TrueTime
    let times: StoreTimes
    let twin: Twin?
    let judge: Judge?
    /// What the clock is wrong by, in microseconds; rises and falls with steps.
    private(set) var clockError: Int64 = 0
    /// The farthest that it ever was ahead.
    private(set) var clockErrorMax: Int64 = 0
    /// When the server was started, by its own clock.
    var startedAt: Int64 = 0
    /// The sessions that hold the advisory lock of an incarnation, in the order in which they took it.
    var advisoryLocks: [Int64: [Int]] = [:]
    /// Heartbeats that a crash of the server may take back: they are not synced one by one.
    @exclusivity(unchecked) var unsynced: [UnsyncedBeat] = []
    /// Of all members that ever were; rows point to them.
    private var profiles: ContiguousArray<MemberProfile> = []
    private var lastStatement = 0

    struct UnsyncedBeat {
        var slot: Int16
        var at: Int64
        var before: MemberRow
    }

    /// 1 January 2026, in microseconds since 1970.
    static let epoch: Int64 = 1_767_225_600_000_000

    init(
        time: TrueTime, slots: Int, times: StoreTimes, twin: Twin?, judge: Judge?,
        shards: Int = ShardNumber.count
    ) {
        self.time = time
        self.times = times
        self.twin = twin
        self.judge = judge
        self.tables = Tables(slots: slots, shards: shards)
        self.tables.cluster.memberLimit = slots
        self.startedAt = Self.epoch - 3_600_000_000
    }

    /// `clock_timestamp()`.
    var clock: Int64 { Self.epoch + self.time.now / 1_000 + self.clockError }

    func stepClock(by microseconds: Int64) {
        self.clockError += microseconds
        self.clockErrorMax = max(self.clockErrorMax, self.clockError)
    }

    func keep(_ profile: MemberProfile) -> MemberProfile {
        self.profiles.append(profile)
        return profile
    }

    func begin(_ statement: Statement) {
        self.lastStatement += 1
        statement.number = self.lastStatement
        statement.startedAt = self.time.now
    }

    /// After a commit that is synced to disk: what was written before it is on disk too.
    func synced() {
        if !self.unsynced.isEmpty { self.unsynced.removeAll(keepingCapacity: true) }
    }

    func holdsAdvisoryLock(_ incarnation: Int64) -> Bool { self.advisoryLocks[incarnation] != nil }

    /// On the session of its last heartbeat; on any before the first one.
    func holdsAdvisoryLock(_ member: MemberRow) -> Bool {
        guard let sessions = self.advisoryLocks[member.incarnation] else { return false }
        return member.beatSession == 0 || sessions.contains(member.beatSession)
    }

    /// Runs a statement to its end while nobody else does anything.
    @discardableResult
    func runAlone<Kind: Statement>(_ statement: Kind) throws(StatementRefused) -> Kind {
        self.begin(statement)
        while true {
            switch statement.advance(self) {
            case .more: continue
            case .committed:
                self.locks.release(statement.held, of: statement.number)
                return statement
            case .wait:
                preconditionFailure("\(statement.title) waits for \(String(describing: statement.waitsFor))")
            case .failed(let state):
                self.locks.release(statement.held, of: statement.number)
                throw StatementRefused(sqlState: state)
            }
        }
    }
}

struct StatementRefused: Error, Equatable {
    var sqlState: String
}

/// The windows as the statements apply them, in microseconds of the database's clock.
struct StoreTimes {
    var chainGap: Int64 = 450_000
    var fastWindow: Int64 = 500_000
    var slowWindow: Int64 = 5_000_000
    var claimWindow: Int64 = 30_000_000
}
