import ClusterModel

/// The rows of the simulated database.
///
/// A copy is a snapshot: arrays share their memory until somebody writes.
struct Tables {
    var cluster = ClusterRow()
    /// By slot less one; a slot that nobody ever took has a row that is `absent`.
    var members: ContiguousArray<MemberRow>
    /// In the order of their deaths.
    var departed: ContiguousArray<DepartedRow> = []
    var departedPlace: [Int64: Int] = [:]
    var openDepartures = 0
    var leases: [LeaseSubject: LeaseRow] = [:]
    /// What was taken away from living incarnations.
    var losses: [Int64: [LeaseLoss]] = [:]
    var names: [FileKey: NameRow] = [:]
    /// Operations that ended, as the transfer log knows them.
    var log: [Int: LogRow] = [:]
    private var queue = JobBox(JobTables())
    /// Kept aside, so that a copy of all tables counts one reference for them: most statements want nothing of them.
    var jobs: JobTables {
        _read { yield self.queue.tables }
        _modify {
            if !isKnownUniquelyReferenced(&self.queue) { self.queue = JobBox(self.queue.tables) }
            yield &self.queue.tables
        }
    }
    var shards: ContiguousArray<ShardRow>
    /// Rises with every write to a shard's assignment or owner: who has seen this one sees nothing new.
    var shardChanges = 0

    init(slots: Int, shards: Int = ShardNumber.count) {
        self.shards = ContiguousArray(repeating: ShardRow(), count: shards)
        self.members = ContiguousArray(repeating: .absent, count: slots)
    }

    func member(_ slot: Int16, _ incarnation: Int64) -> MemberRow? {
        guard self.members.indices.contains(Int(slot) - 1) else { return nil }
        let row = self.members[Int(slot) - 1]
        return row.incarnation == incarnation && row.status != .absent ? row : nil
    }

    func isLive(_ slot: Int16, _ incarnation: Int64) -> Bool {
        self.member(slot, incarnation).map { $0.status != .dead } ?? false
    }

    func livingSlot(of incarnation: Int64) -> Int16? {
        for index in self.members.indices where self.members[index].incarnation == incarnation {
            return self.members[index].isLive ? Int16(index + 1) : nil
        }
        return nil
    }

    func departure(_ incarnation: Int64) -> DepartedRow? {
        self.departedPlace[incarnation].map { self.departed[$0] }
    }

    /// `on conflict do nothing`.
    mutating func depart(_ row: DepartedRow) {
        guard self.departedPlace[row.incarnation] == nil else { return }
        self.departedPlace[row.incarnation] = self.departed.count
        self.departed.append(row)
        self.openDepartures += 1
    }
}

private final class JobBox {
    @exclusivity(unchecked) var tables: JobTables

    init(_ tables: JobTables) { self.tables = tables }
}

struct ClusterRow: Equatable {
    var viewVersion: Int64 = 0
    var memberLimit = 20
    /// Timeline of the database · 2⁴⁰ + number.
    var lastIncarnation: Int64 = 0
    var timeline: Int64 = 1
    var configVersion: Int64 = 0
    /// Goes up with each change of a shard that nodes want to hear of.
    var shardVersion: Int64 = 0
    var schemaVersion = 1
    /// The oldest program that can live with the schema, as the newest one it knows.
    var minReaderVersion = 1
    var leaderSlot: Int16?
    var leaderIncarnation: Int64?
    var leaderTerm: Int64 = 0
    /// What the leader last wrote: an order that only a leader may give.
    var leaderWrites: Int64 = 0
    /// The sequence of epochs; it goes on whatever becomes of the statement that drew.
    var lastEpoch: Int64 = 0
}

struct MemberRow: Equatable, Sendable {
    enum Status: UInt8, Sendable {
        case absent
        case active
        case draining
        case dead
    }

    var status: Status
    var incarnation: Int64
    var heartbeats: Int64
    /// By the database's clock, in microseconds, as all times of rows.
    var beatAt: Int64
    var upSince: Int64
    var chain: Int32
    var joinedAt: Int64
    var diedAt: Int64
    var capacity: Int32
    /// Kept by ``Database/profiles``, so that copies of rows count no references: rows are copied all the time.
    unowned(unsafe) var profile: MemberProfile
    /// On which it last beat; 0 before the first heartbeat.
    var beatSession = 0

    static let absent = MemberRow(
        status: .absent, incarnation: 0, heartbeats: 0, beatAt: 0, upSince: 0, chain: 0, joinedAt: 0,
        diedAt: 0, capacity: 0, profile: .nobody)

    var isLive: Bool { self.status == .active || self.status == .draining }
    var name: NodeName? { self.status == .absent ? nil : self.profile.name }
}

/// What a member says of itself once; shared by all versions of its row.
final class MemberProfile: Equatable, Sendable {
    let name: NodeName?
    let addresses: NodeAddresses
    let version: String
    let attributes: [String: String]

    init(name: NodeName?, addresses: NodeAddresses, version: String, attributes: [String: String]) {
        self.name = name
        self.addresses = addresses
        self.version = version
        self.attributes = attributes
    }

    static let nobody = MemberProfile(
        name: nil, addresses: NodeAddresses(host: "", filesPort: 0, adminPort: 0), version: "",
        attributes: [:])

    static func == (left: MemberProfile, right: MemberProfile) -> Bool { left === right }
}

struct DepartedRow: Equatable {
    var incarnation: Int64
    var slot: Int16
    var name: NodeName
    var reason: String
    var diedAt: Int64
    var sweptBy: Int64?
    var claimedAt: Int64?
    var sweptAt: Int64?
}

struct LeaseRow: Equatable {
    var epoch: Int64
    var slot: Int16
    var incarnation: Int64
    var orderKey: LeaseSubject?
    var limit: LeaseLimit?
    var limitSlot: Int
    var deadline: Duration?
    var acquiredAt: Int64
}

/// A path of one of the simulated accounts.
package struct FileKey: Hashable, Comparable {
    var path: Int
    package static func < (left: FileKey, right: FileKey) -> Bool { left.path < right.path }
}

/// A name with an unfinished change.
struct NameRow: Equatable {
    var operation: Int
    /// Whose decision it is.
    var incarnation: Int64
    var staged: StagedFileID
    /// False while the name is only reserved: it may be given up.
    var isDecided = true
}

struct LogRow: Equatable {
    var completed: Bool
}

/// A staged file, told from every other that ever was.
struct StagedFileID: Hashable {
    var incarnation: Int64
    var operation: Int
}
