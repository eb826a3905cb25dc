import ClusterModel
import Coordinator
import Foundation

/// Words for the tests of distribution.
enum Cases {
    static func kind(_ text: String) -> JobKind {
        guard let kind = JobKind(text) else { fatalError("\(text) is no kind") }
        return kind
    }

    static let webhook = Self.kind("webhook")

    static func account(_ number: UInt8) -> AccountID {
        AccountID(UUID(uuid: (number, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, number)))
    }

    static func at(_ milliseconds: Int64) -> ClusterInstant { MembershipTests.at(milliseconds) }

    static func title(_ job: Int64, _ epoch: Int64 = 1) -> JobTitle {
        guard let id = JobID(rawValue: job), let epoch = Epoch(rawValue: epoch) else {
            fatalError("\(job) and \(epoch) are no title")
        }
        return JobTitle(job: id, epoch: epoch)
    }

    static func lane(
        _ number: Int64, ready: Int, kind: JobKind = webhook, requires: [String] = [],
        waited: Duration = .zero,
        room: Int? = nil, perNode: Int? = nil, account: AccountID? = nil
    ) -> LaneBacklog {
        LaneBacklog(
            lane: JobLane(number), kind: kind, account: account, requires: requires, ready: ready,
            firstRank: 1_000 * number, waited: waited, room: room, perNode: perNode)
    }

    static func job(
        _ number: Int64, epoch: Int64 = 1, lane: Int64 = 1, kind: JobKind = webhook, bytes: Int64 = 0,
        attempt: Int = 1, deadline: Duration? = nil
    ) -> ClaimedJob {
        ClaimedJob(
            title: Self.title(number, epoch), lane: JobLane(lane), kind: kind, account: nil, payload: "{}",
            bytes: bytes, attempt: attempt, maxAttempts: 20, deadline: deadline, checkpoint: nil,
            waited: .zero)
    }

    static func member(
        _ slot: Int16, _ status: MemberStatus = .active, attributes: [String: String] = [:],
        capacity: Int = 64, load: Float = 0
    ) -> Member {
        Member(
            slot: Slot(slot), name: MembershipTests.name("worker-\(slot)"),
            incarnation: MembershipTests.incarnation(Int64(slot)), status: status, heartbeats: 1,
            lastHeartbeat: .now, joinedAt: .now, unbrokenSince: .now,
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "1",
            attributes: attributes, capacity: capacity, load: LoadSample(inFlight: 0, load: load))
    }

    static func view(_ members: [Member]) -> ClusterView {
        ClusterView(
            cluster: ClusterID(UUID()), version: 1, memberLimit: 20, schemaVersion: 4,
            configVersion: ConfigVersion(1), members: members, readAt: .now)
    }

    static func view(nodes: Int16) -> ClusterView { Self.view((1...nodes).map { Self.member($0) }) }
}

/// Lots that a seed reproduces.
struct Lots: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
