import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import PostgresStore
import Synchronization
import Testing

/// A stopping node waits for a silent database no longer than each service says.
@Suite(.serialized) struct SilentStopTests {
    /// The bounds that the tests set, and a slow machine.
    private static let enough: Duration = .seconds(4)

    /// How long the services took to stop after the body.
    private static func stopping(
        _ run: (@escaping @Sendable () async throws -> Void) async throws -> Void,
        after body: @escaping @Sendable () async throws -> Void
    ) async throws -> Duration {
        let stopsAt = Mutex<ContinuousClock.Instant?>(nil)
        try await run {
            try await body()
            stopsAt.withLock { $0 = .now }
        }
        return ContinuousClock.now - (try #require(stopsAt.withLock { $0 }))
    }

    @Test func `a node with shards stops although nobody answers its releases`() async throws {
        try await withTestDatabase { database in
            let silent = SilentShards(inner: database.store)
            var settings = ShardRunner.Settings()
            settings.stopGrace = .milliseconds(100)
            settings.stopFlush = .milliseconds(300)
            let node = ShardNode(
                try await JoinedNode.join(database, named: "one"), database.store, through: silent,
                works: [ScriptedWork()], settings: settings)
            _ = try #require(try await node.store.takeLead(LeadClaim(right: node.right, term: 0)))
            let took = try await Self.stopping(
                { try await ShardNode.running([node], $0) },
                after: {
                    try await eventually("it has all") { node.acting.count == ShardNumber.count }
                    silent.silence.begin()
                })
            #expect(silent.silence.asked > 0)
            #expect(took < Self.enough)
            // Nobody was robbed, and nobody heard anything: the departure of the node frees them.
            #expect(try await database.store.shards().allSatisfy { $0.owner == node.right.incarnation })
        }
    }

    @Test func `a node with endings stops although nobody answers them`() async throws {
        let queue = QueueInMemory()
        let right = JobWords.right(10)
        queue.live(right)
        var settings = JobRunner.Settings()
        settings.stopFlush = .milliseconds(300)
        let node = JobNode(
            right, store: queue, losses: LossesInMemory(queue: queue), handlers: [ScriptedHandler()],
            settings: settings)
        queue.silence.begin()
        _ = try await queue.enqueue([JobWords.spec()])
        let took = try await Self.stopping(
            { try await JobNode.running(node.services, $0) },
            after: {
                try await eventually("an ending waits") { queue.silence.asked > 0 }
            })
        #expect(took < Self.enough)
        #expect(queue.completions == [0])
    }

    @Test func `a node with leases stops although nobody answers their ends`() async throws {
        try await withTestDatabase { database in
            let node = try await JoinedNode.join(database)
            let store = LossyLeases(database.store)
            let desk = BatchingLeaseDesk(
                store: store, standing: FixedStanding(node.right), stopLimit: .milliseconds(300),
                logger: JobNode.quiet)
            let took = try await Self.stopping(
                { try await JobNode.running([desk], $0) },
                after: {
                    let lease = try await desk.acquire(try LeaseDeskTests.request("a"))
                    store.silence.begin()
                    lease.release()
                    try await eventually("its end waits") { store.silence.asked > 0 }
                })
            #expect(took < Self.enough)
            #expect(try await database.store.leases(LeaseQuery()).count == 1)
        }
    }
}
