import ClusterModel
import ClusterPorts
import Foundation
import Logging
import ReadinessLoop
import RedisCache
import RedisDriver
import Synchronization
import Testing

@Suite struct RedisDoorbellTests {
    private struct NoServer: Error, CustomStringConvertible {
        let description = "FLOTILLA_TEST_REDIS is not set; run `make test`"
    }

    private struct NeverRang: Error {}

    private final class Count: Sendable {
        private let count = Mutex(0)
        func add() { self.count.withLock { $0 += 1 } }
        var value: Int { self.count.withLock { $0 } }
    }

    private static func server() throws -> RedisURL {
        guard let text = ProcessInfo.processInfo.environment["FLOTILLA_TEST_REDIS"] else { throw NoServer() }
        return try RedisURL(text)
    }

    private static func eventually(_ condition: () -> Bool) async throws {
        let due = ContinuousClock.now.advanced(by: .seconds(10))
        while !condition() {
            guard ContinuousClock.now < due else { throw NeverRang() }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Doorbells of these clusters, each with a client of its own and a count of the rings that it hears.
    private static func withBells(
        _ url: RedisURL, _ clusters: [ClusterID],
        _ body: ([(bell: RedisDoorbell, heard: Count)], RedisClient) async throws -> Void
    ) async throws {
        let loop = try ReadinessLoop(label: "doorbell-tests")
        defer { loop.shutdown() }
        var logger = Logger(label: "doorbell-tests")
        logger.logLevel = .critical
        try await withThrowingTaskGroup(of: Void.self) { group in
            let clients = (0...clusters.count).map { _ in
                RedisClient(RedisConfiguration(url: url), loop: loop, logger: logger)
            }
            for client in clients { group.addTask { try await client.run() } }
            var bells: [(RedisDoorbell, Count)] = []
            for (client, cluster) in zip(clients, clusters) {
                let bell = RedisDoorbell(client: client, cluster: cluster, logger: logger)
                let heard = Count()
                let rings = bell.rings()
                group.addTask { for await _ in rings { heard.add() } }
                group.addTask { try await bell.run() }
                bells.append((bell, heard))
            }
            try await body(bells, clients[clusters.count])
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    @Test func `a ring is heard by all nodes of the cluster and by nobody else`() async throws {
        let cluster = ClusterID(UUID())
        try await Self.withBells(Self.server(), [cluster, cluster, ClusterID(UUID())]) { bells, _ in
            // Each hears that it has subscribed.
            try await Self.eventually { bells.allSatisfy { $0.heard.value > 0 } }
            let before = bells.map(\.heard.value)
            bells[0].bell.ring()
            try await Self.eventually { bells[1].heard.value > before[1] }
            #expect(bells[0].heard.value == before[0] + 1)
            #expect(bells[2].heard.value == before[2])
        }
    }

    @Test func `many rings go out as few`() async throws {
        let cluster = ClusterID(UUID())
        try await Self.withBells(Self.server(), [cluster]) { bells, client in
            try await Self.eventually { bells[0].heard.value > 0 && client.refusal == nil }
            let began = ContinuousClock.now
            let messages = try client.messages(on: ["flotilla:\(cluster):jobs"])
            var iterator = messages.makeAsyncIterator()
            #expect(await iterator.next() == .subscribed)
            for _ in 0..<100_000 { bells[0].bell.ring() }
            guard case .message? = await iterator.next() else {
                Issue.record("no ring came")
                return
            }
            let end = Array("end".utf8)
            try await client.publish(end, on: "flotilla:\(cluster):jobs")
            var count = 1
            while let event = await iterator.next() {
                if case .message(_, end) = event { break }
                count += 1
            }
            let most = Int((ContinuousClock.now - began) / RedisDoorbell.pauseMin) + 2
            #expect(count <= most, "\(count) of \(most)")
        }
    }

    @Test func `without Redis a ring waits for nothing and is heard at home`() async throws {
        try await Self.withBells(try RedisURL("redis://127.0.0.1:1"), [ClusterID(UUID())]) { bells, _ in
            let began = ContinuousClock.now
            for _ in 0..<1_000 { bells[0].bell.ring() }
            #expect(ContinuousClock.now - began < .seconds(1))
            try await Self.eventually { bells[0].heard.value > 0 }
        }
    }
}
