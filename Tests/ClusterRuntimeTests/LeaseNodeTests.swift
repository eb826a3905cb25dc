import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

/// Leases, the lead and the own health of whole nodes.
@Suite(.serialized) struct LeaseNodeTests {
    private static func serving(_ node: ClusterRuntime) async throws {
        try await eventually("the node serves", within: .seconds(20)) { TestNodes.isServing(node) }
    }

    @Test func `what a killed holder had is acquired elsewhere and the zombie ends nothing`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                let (desk, services) = TestNodes.leasing(node, database)
                try await TestNodes.running(services) {
                    try await Self.serving(node)
                    try await LeaseDeskTests.withDesk(database) { victim in
                        let lease = try await victim.desk.acquire(LeaseDeskTests.request("a"))
                        let request = try LeaseDeskTests.request("a")
                        let freed = desk.freed()
                        try await victim.node.beat()
                        try await victim.node.dropLines()
                        for await _ in freed { break }
                        let next = try await desk.acquire(request)
                        let (before, after) = (lease.title, next.title)
                        #expect(after.epoch > before.epoch)
                        next.expectHeld(true)
                        // It does not know yet that it is dead.
                        lease.expectHeld(true)
                        try await lease.expectCompleted(false)
                        #expect(
                            try await database.store.leases(of: [request.subject]).map(\.title) == [after])
                        next.release()
                    }
                }
            }
        }
    }

    @Test func `a node that stops ends its leases before it leaves`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                let (desk, services) = TestNodes.leasing(node, database)
                try await TestNodes.running(services) {
                    try await Self.serving(node)
                    for number in 0..<50 {
                        let lease = try await desk.acquire(LeaseDeskTests.request("\(number)"))
                        // Nobody ends it: the desk knows that it is held, whatever becomes of the handle.
                        Self.keep(lease)
                    }
                }
                #expect(try await database.store.leases(LeaseQuery()).isEmpty)
                let view = try await database.store.view()
                #expect(view.members.map(\.status) == [.dead])
            }
        }
    }

    /// A handle that lives as long as the process.
    private static func keep(_ lease: consuming Lease) {
        let handle = Kept(lease)
        Self.kept.withLock { $0.append(handle) }
    }

    private final class Kept: Sendable {
        let lease: Lease
        init(_ lease: consuming Lease) { self.lease = lease }
    }
    private static let kept = Mutex<[Kept]>([])

    @Test func `a lease is taken away when the leader has watched it for its deadline`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                let (desk, services) = TestNodes.leasing(node, database)
                try await TestNodes.running(services) {
                    try await Self.serving(node)
                    try await eventually("it leads") { node.board.leading() != nil }
                    let lease = try await desk.acquire(LeaseDeskTests.request("a", deadline: .seconds(1)))
                    lease.expectHeld(true)
                    try await eventually("it is swept") {
                        try await database.store.leases(LeaseQuery()).isEmpty
                    }
                    lease.expectHeld(false)
                    try await eventually("the holder hears of it") { desk.counts.lost == 1 }
                    try await lease.expectCompleted(false)
                }
            }
        }
    }

    @Test func `one node leads and another one when it is gone`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let (one, two) = (
                    TestNodes.node("a", database, mount: folder), TestNodes.node("b", database, mount: folder)
                )
                try await TestNodes.running([one]) {
                    try await Self.serving(one)
                    try await eventually("the first one leads") { one.board.leading()?.term == 1 }
                    try await TestNodes.running([two]) {
                        try await Self.serving(two)
                        try await eventually { two.board.view()?.livingLeader?.term == 1 }
                        #expect(two.board.leading() == nil)
                        let first = try #require(one.board.standing().right)
                        #expect(
                            try await database.store.leave(slot: first.slot, incarnation: first.incarnation))
                        try await eventually("the lead is taken again") {
                            (try await database.store.view().livingLeader?.term).map { $0 >= 2 } ?? false
                        }
                        try await eventually("one of them leads") {
                            (one.board.leading() != nil) != (two.board.leading() != nil)
                        }
                    }
                }
            }
        }
    }

    @Test func `the leader forgets those who are dead for long`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                let duties = LeaderDuties(
                    store: database.store, board: node.board, every: .milliseconds(50),
                    logger: TestNodes.quiet)
                try await TestNodes.running([node, duties]) {
                    try await Self.serving(node)
                    let old = try await JoinedNode.join(database, named: "old")
                    _ = try await database.store.leave(
                        slot: old.right.slot, incarnation: old.right.incarnation)
                    _ = try await database.pool.query(
                        "update flotilla.member set died_at = died_at - interval '8 days' where status = 'dead'"
                    )
                    #expect(try await database.store.view().members.count == 2)
                    _ = try await database.pool.query(
                        "update flotilla.departed set swept_at = clock_timestamp() - interval '8 days'")
                    try await eventually("it is forgotten") {
                        try await database.store.view().members.count == 1
                    }
                }
            }
        }
    }

    /// Remembers what a node wished.
    private final class Wishes: OwnDrain {
        private let begun = Mutex<[String]>([])
        var reasons: [String] { self.begun.withLock { $0 } }

        func begin(_ right: NodeRight, reason: String) async throws(StoreError) -> Bool {
            self.begun.withLock { $0.append(reason) }
            return true
        }

        func end(_ right: NodeRight) async throws(StoreError) -> Bool { true }
    }

    @Test func `a node whose mount is gone offers little and wishes to be drained`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let wishes = Wishes()
                let node = TestNodes.node("a", database, mount: folder, drain: wishes)
                try await TestNodes.running([node]) {
                    try await Self.serving(node)
                    let other = try await JoinedNode.join(database)
                    try await eventually { node.board.view()?.members.count == 2 }
                    try FileManager.default.moveItem(
                        atPath: "\(folder)/.flotilla/cluster", toPath: "\(folder)/.flotilla/elsewhere")
                    try await eventually("it wishes to drain", within: .seconds(20)) {
                        try await other.beat()
                        return wishes.reasons.count == 1
                    }
                    #expect(wishes.reasons.first?.hasPrefix("the mount: ") == true)
                    let name = NodeName("a")
                    try await eventually("it offers little") {
                        try await database.store.view().members.first { $0.name == name }?.capacity == 1
                    }
                    try FileManager.default.moveItem(
                        atPath: "\(folder)/.flotilla/elsewhere", toPath: "\(folder)/.flotilla/cluster")
                }
            }
        }
    }
}
