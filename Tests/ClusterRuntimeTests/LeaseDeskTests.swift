import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Logging
import PostgresStore
import Testing

/// The leases of one node on a real database.
@Suite(.serialized) struct LeaseDeskTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func request(_ id: String, deadline: Duration? = nil) throws -> LeaseRequest {
        let kind = try #require(LeaseKind("job"))
        return LeaseRequest(subject: try #require(LeaseSubject(kind: kind, id: id)), deadline: deadline)
    }

    /// A node's desk while the body runs; afterwards it is cancelled, as in a crash.
    struct Desk: Sendable {
        let desk: BatchingLeaseDesk
        let store: LossyLeases
        let standing: FixedStanding
        let node: JoinedNode
    }

    static func withDesk(
        _ database: TestDatabase, _ body: @escaping @Sendable (Desk) async throws -> Void
    ) async throws {
        let node = try await JoinedNode.join(database)
        let store = LossyLeases(database.store)
        let standing = FixedStanding(node.right)
        let desk = BatchingLeaseDesk(store: store, standing: standing, logger: Self.quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await desk.run() }
            try await body(Desk(desk: desk, store: store, standing: standing, node: node))
            group.cancelAll()
        }
    }

    private static func count(_ database: TestDatabase) async throws -> Int {
        try await database.store.leases(LeaseQuery()).count
    }

    @Test func `a lease is granted, held, and completed once`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let lease = try await node.desk.acquire(Self.request("a"))
                lease.expectHeld(true)
                #expect(node.desk.heldCount == 1)
                let title = lease.title
                try await lease.expectCompleted(true)
                #expect(!node.desk.isHeld(title, by: node.node.right))
                #expect(try await Self.count(database) == 0)
                let again = try await node.desk.acquire(Self.request("a"))
                let later = again.title.epoch
                #expect(later > title.epoch)
                again.release()
                try await eventually { try await Self.count(database) == 0 }
                #expect(node.desk.counts.forgotten == 0)
            }
        }
    }

    @Test func `a lease that somebody else has is denied and may be asked for when it is free`() async throws
    {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { one in
                try await Self.withDesk(database) { two in
                    let lease = try await one.desk.acquire(Self.request("a"))
                    await #expect(throws: LeaseError.denied(.taken)) {
                        _ = try await two.desk.acquire(Self.request("a"))
                    }
                    let freed = one.desk.freed()
                    lease.release()
                    for await _ in freed { break }
                    let other = try await two.desk.acquire(Self.request("a"))
                    other.expectHeld(true)
                    other.release()
                }
            }
        }
    }

    @Test func `a handle that goes out of scope gives its lease back`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                do {
                    let lease = try await node.desk.acquire(Self.request("a"))
                    lease.expectHeld(true)
                }
                try await eventually { try await Self.count(database) == 0 }
                #expect(node.desk.counts.forgotten == 1)
            }
        }
    }

    @Test func `a thousand requests at once take few statements`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let completed = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 0..<1_000 {
                        group.addTask {
                            let lease = try await node.desk.acquire(Self.request("\(number)"))
                            return try await lease.complete()
                        }
                    }
                    return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(completed == 1_000)
                #expect(node.desk.counts.acquireStatements < 100)
                #expect(node.desk.counts.endStatements < 200)
                #expect(try await Self.count(database) == 0)
            }
        }
    }

    @Test func `many are asked for at once and each is answered for itself`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let taken = try await node.desk.acquire(Self.request("7"))
                let requests = try (0..<20).map { try Self.request("\($0)") }
                let bundle = try await node.desk.acquire(all: requests)
                let (titles, held, outcomes) = (bundle.titles, bundle.held, bundle.outcomes)
                #expect(titles.map(\.subject) == requests.map(\.subject).filter { $0.id != "7" })
                #expect(held == titles)
                #expect(outcomes[7] == .failure(.denied(.taken)))
                #expect(node.desk.counts.acquireStatements <= 4)
                // Some were ended by the statement that committed the work; the rest is given back.
                let ended = Array(titles.prefix(5))
                #expect(try await database.store.end(ended, by: node.node.right) == ended.map { _ in true })
                bundle.wereEnded(ended)
                try await eventually { try await Self.count(database) == 1 }
                #expect(node.desk.counts.forgotten == 0)
                do {
                    let again = try await node.desk.acquire(all: requests)
                    let count = again.titles.count
                    #expect(count == 19)
                }
                try await eventually { try await Self.count(database) == 1 }
                #expect(node.desk.counts.forgotten == 19)
                taken.release()
            }
        }
    }

    @Test func `lost answers are resolved by reading`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                node.store.lose(acquires: 1)
                let lease = try await node.desk.acquire(Self.request("a"))
                lease.expectHeld(true)
                let title = lease.title
                let records = try await database.store.leases(of: [title.subject])
                #expect(records.map(\.title) == [title])
                node.store.lose(ends: 1)
                do {
                    _ = try await lease.complete()
                    Issue.record("nobody knows whether it held until then")
                } catch {
                    #expect(error as? LeaseError == .unknown)
                }
                #expect(try await Self.count(database) == 0)
                #expect(node.desk.heldCount == 0)
                // Somebody else has it: nothing was granted.
                let other = try await JoinedNode.join(database)
                _ = try await database.store.acquire([Self.request("b")], by: other.right)
                node.store.lose(acquires: 1)
                await #expect(throws: LeaseError.unknown) {
                    _ = try await node.desk.acquire(Self.request("b"))
                }
                #expect(node.desk.heldCount == 0)
            }
        }
    }

    @Test func `a cancelled request gives back what it is granted later`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let gate = node.store.hold()
                await withTaskGroup(of: Bool.self) { group in
                    group.addTask {
                        do {
                            _ = try await node.desk.acquire(Self.request("a"))
                            return false
                        } catch {
                            return error as? LeaseError == .cancelled
                        }
                    }
                    try? await eventually { node.desk.counts.acquireStatements == 1 }
                    group.cancelAll()
                    for await wasCancelled in group { #expect(wasCancelled) }
                }
                gate.finish()
                try await eventually { node.desk.counts.endStatements == 1 }
                try await eventually { try await Self.count(database) == 0 }
                #expect(node.desk.counts.forgotten == 0)
            }
        }
    }

    @Test func `an isolated node claims nothing and relies on nothing`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let right = node.node.right
                let lease = try await node.desk.acquire(Self.request("a"))
                node.standing.set(.isolated(right))
                lease.expectHeld(false)
                await #expect(throws: LeaseError.notAllowed(.isolated(right))) {
                    _ = try await node.desk.acquire(Self.request("b"))
                }
                node.standing.set(.serving(right, ConfigVersion(1)))
                lease.expectHeld(true)
                node.standing.set(.outside)
                lease.expectHeld(false)
                try await eventually { node.desk.heldCount == 0 }
                try await lease.expectCompleted(false)
            }
        }
    }

    @Test func `a holder hears that an operator took its lease`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let lease = try await node.desk.acquire(Self.request("a"))
                let title = lease.title
                #expect(try await database.store.forceEnd(title) != nil)
                guard case .alive(let news) = try await node.node.beat() else {
                    throw NeverHappened(description: "dead")
                }
                node.standing.set(leaseLosses: news.leaseLosses)
                try await eventually { node.desk.heldCount == 0 }
                lease.expectHeld(false)
                #expect(node.desk.counts.lost == 1)
                try await lease.expectCompleted(false)
            }
        }
    }

    @Test func `a dead incarnation is fenced and the next one starts with nothing`() async throws {
        try await withTestDatabase { database in
            try await Self.withDesk(database) { node in
                let right = node.node.right
                let lease = try await node.desk.acquire(Self.request("a"))
                #expect(try await database.store.leave(slot: right.slot, incarnation: right.incarnation))
                await #expect(throws: LeaseError.denied(.fenced)) {
                    _ = try await node.desk.acquire(Self.request("b"))
                }
                lease.expectHeld(false)
                try await lease.expectCompleted(false)
                let next = try await JoinedNode.join(database)
                node.standing.set(.serving(next.right, ConfigVersion(1)))
                let other = try await node.desk.acquire(Self.request("b"))
                let renewed = other.right
                #expect(renewed == next.right)
                other.expectHeld(true)
                other.release()
            }
        }
    }
}
