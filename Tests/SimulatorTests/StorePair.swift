import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Simulator
import Testing

/// A real database and a simulated one that get the same operations.
final class StorePair {
    enum Operation: CaseIterable {
        case join
        case beat
        case pass
        case drop
        case accuse
        case leave
        case lead
        case departures
        case claim
        case close
        case acquire
        case end
        case force
        case sweepDead
        case sweepOverdue
        case losses
        case decideName
        case reserve
        case decideReserved
        case abandon
        case abandonAll
        case finish
        case enqueueJobs
        case claimJobs
        case finishJobs
        case noteJob
        case readClaims
        case sweepClaims
        case stageJobs
        case sweepOverdueClaims
        case cancelJob
        case sendBackJob
        case setPolicy
        case removePolicy
        case tidyJobs
        case assignShards
        case takeShards
        case releaseShards
        case reportShards
        case pinShard
        case moveShard
    }

    /// One member, as both know it.
    struct Node {
        let real: JoinedNode
        var right: NodeRight { self.real.right }
        var isHeld = true
    }

    /// One claim, by the title that each database gave it.
    struct Claimed {
        var real: JobTitle
        var simulated: JobTitle
        var right: NodeRight
    }

    struct Owned {
        var real: ShardTitle
        var simulated: ShardTitle
        var right: NodeRight
    }

    let database: TestDatabase
    let real: PostgresStore
    let simulated: SimulatedStore
    var lots: SeededRandom
    var nodes: [Node] = []
    /// Leases by their real titles; the simulated epochs of the same grants.
    ///
    /// Numbers of denied requests differ.
    var epochs: [LeaseTitle: Epoch] = [:]
    var term: Int64 = 0
    var kills = 0
    /// Whose names they are.
    let account: Account
    /// By number, from 1.
    var operations: [ClusterPorts.Operation] = []
    /// Jobs that were enqueued, and claims of both databases; a claim's numbers differ.
    var jobs: [JobID] = []
    var claimed: [Claimed] = []
    var owned: [Owned] = []
    private var lastStep = ContinuousClock.now
    private(set) var differences: [String] = []
    private(set) var trail: [String] = []
    private(set) var done: Set<Operation> = []

    init(_ database: TestDatabase, seed: UInt64, times: MembershipTimes, twin: Twin?) async throws {
        self.database = database
        self.real = database.store
        self.simulated = SimulatedStore(slots: 6, times: times, twin: twin)
        self.lots = SeededRandom(seed: seed)
        let now = Date(timeIntervalSince1970: 1_700_000_000)
        let account = Account(
            id: AccountID(UUID()), name: try #require(AccountName("alice")), enabled: true,
            passwordHash: nil, createdAt: now, changedAt: now, revision: 1)
        self.account = try #require(try await database.store.create(account))
        self.simulated.configured(try await database.store.facts().configVersion)
        _ = try await database.pool.query("update flotilla.cluster set member_limit = 6")
    }

    func step() async throws {
        let weighted: [(Operation, Int)] = [
            (.join, 3), (.beat, 12), (.pass, 8), (.drop, 2), (.accuse, 10), (.leave, 1),
            (.lead, 3),
            (.departures, 1),
            (.claim, 2), (.close, 2), (.acquire, 8), (.end, 5), (.force, 1), (.sweepDead, 2),
            (.sweepOverdue, 2),
            (.losses, 1), (.decideName, 6), (.reserve, 6), (.decideReserved, 5), (.abandon, 2),
            (.abandonAll, 1), (.finish, 6),
            (.enqueueJobs, 12), (.claimJobs, 14), (.finishJobs, 12), (.noteJob, 3), (.readClaims, 2),
            (.sweepClaims, 4),
            (.stageJobs, 6), (.sweepOverdueClaims, 3), (.cancelJob, 3), (.sendBackJob, 3), (.setPolicy, 3),
            (.removePolicy, 1), (.tidyJobs, 2),
            (.assignShards, 6), (.takeShards, 6), (.releaseShards, 3), (.reportShards, 3), (.pinShard, 1),
            (.moveShard, 3),
        ]
        let all = weighted.flatMap { Array(repeating: $0.0, count: $0.1) }
        guard let operation = self.lots.pick(all) else { return }
        self.keepTime()
        try await self.perform(operation)
        try await self.compareRows(after: operation)
        self.done.insert(operation)
    }

    /// Real time goes by in both: what is due sooner goes first.
    private func keepTime() {
        let now = ContinuousClock.now
        self.simulated.pass(now - self.lastStep)
        self.lastStep = now
    }

    func compare<Value: Equatable>(_ what: String, _ real: Value, _ simulated: Value) {
        let line = "\(what): \(real)"
        self.trail.append(line)
        guard real != simulated else { return }
        self.differences.append("\(what): the real one says \(real), the simulated one \(simulated)")
        self.trail.append("DIFFERENT: \(self.differences.last ?? "")")
    }

    /// All rows, with what the two may not have in common left out: times of day.
    private func compareRows(after operation: Operation) async throws {
        let what = "rows after \(operation)"
        let real = try await self.real.view()
        let simulated = try self.simulated.view()
        self.compare("\(what), version", real.version, simulated.version)
        self.compare("\(what), leader", real.leader, simulated.leader)
        self.compare(
            "\(what), members", real.members.map(MemberShape.init), simulated.members.map(MemberShape.init))
        let departed = try await self.real.departures(limit: 1_000).map(\.incarnation).sorted()
        self.compare(
            "\(what), departures", departed,
            try self.simulated.departures(limit: 1_000).map(\.incarnation).sorted())
        let leases = try await self.real.leases(LeaseQuery()).map(LeaseShape.init).sorted {
            $0.subject < $1.subject
        }
        let others = try self.simulated.leases(LeaseQuery()).map(LeaseShape.init).sorted {
            $0.subject < $1.subject
        }
        self.compare("\(what), leases", leases, others)
        try await self.compareQueue(after: what)
        try await self.compareShards(after: what)
        self.compare("\(what), names", try await self.realNames(), self.simulated.names())
    }
}

/// What must be the same of a member.
struct MemberShape: Equatable {
    let slot: Slot
    let name: NodeName
    let incarnation: Incarnation
    let status: MemberStatus
    let heartbeats: Int64
    let isUnbroken: Bool

    init(_ member: Member) {
        self.slot = member.slot
        self.name = member.name
        self.incarnation = member.incarnation
        self.status = member.status
        self.heartbeats = member.heartbeats
        // The chain began with the join, or with a later heartbeat.
        self.isUnbroken = abs(member.unbrokenSince.timeIntervalSince(member.joinedAt)) < 5
    }
}

struct LeaseShape: Equatable {
    let subject: LeaseSubject
    let incarnation: Incarnation
    let orderKey: LeaseSubject?
    let limit: LeaseLimit?
    let deadline: Duration?

    init(_ record: LeaseRecord) {
        self.subject = record.title.subject
        self.incarnation = record.incarnation
        self.orderKey = record.orderKey
        self.limit = record.limit
        self.deadline = record.deadline
    }
}
