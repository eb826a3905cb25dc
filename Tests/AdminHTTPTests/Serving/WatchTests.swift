import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import PostgresDriver
import PostgresStore
import Testing

@Suite struct WatchTests {
    @Test func `what happens is told as it happens, and again to whoever comes back`() async throws {
        try await DoorNode.with { node in
            let text = try await self.watch(node, "/api/v1/watch", until: "event: membership") {
                _ = try await node.store.drain(node.right.incarnation, by: .operator, reason: "test")
            }
            #expect(text.contains("text/event-stream") && text.contains("event: begin"))
            let ids = Self.ids(text)
            #expect(ids.count == 2)
            _ = try await node.store.resume(node.right.incarnation, by: .operator)
            // From the first event on: the drain comes again, and then what happened meanwhile.
            let again = try await self.watch(
                node, "/api/v1/watch?topics=membership", last: ids[0], until: "resumed"
            ) {}
            #expect(again.contains("drained: test") && Self.ids(again).first == ids[0])
            let rest = try await self.watch(node, "/api/v1/watch?after=\(ids[1])", until: "resumed") {}
            #expect(!rest.contains("drained"))
        }
    }

    @Test func `who was away for too long is told that something is missing`() async throws {
        try await DoorNode.with { node in
            for number in 0..<3 {
                _ = try await node.store.setAttributes(["n": "\(number)"], of: node.right.incarnation)
            }
            _ = try await node.store.pool.query("delete from flotilla.feed where number <= 2")
            let text = try await self.watch(node, "/api/v1/watch?after=1-1", until: "attributes") {}
            #expect(text.contains("event: missed") && !text.contains("event: begin"))
            // The last one that is gone was seen: nothing is missing.
            let entries = try await node.store.feed(
                after: FeedPlace(transaction: 0, number: 0), topics: [.membership], limit: 10
            ).entries
            let first = try #require(entries.first)
            #expect(entries.count == 2 && first.place.number == 3)
            let seen = FeedPlace(transaction: first.place.transaction - 1, number: 2)
            let whole = try await self.watch(node, "/api/v1/watch?after=\(seen)", until: "attributes") {}
            #expect(whole.contains("event: begin") && !whole.contains("missed"))
        }
    }

    @Test func `a place that the feed has not reached is told as missed, and what comes is shown`()
        async throws
    {
        try await DoorNode.with { node in
            let text = try await self.watch(
                node, "/api/v1/watch?after=999999999999-7", until: "drained: test"
            ) {
                _ = try await node.store.drain(node.right.incarnation, by: .operator, reason: "test")
            }
            #expect(text.contains("event: missed") && !text.contains("event: begin"))
        }
    }

    @Test func `a client that goes away gives its place back at once`() async throws {
        try await DoorNode.with { node in
            // As many as there may be, and all gone again; then there must be room within a moment.
            let request =
                "GET /api/v1/watch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(node.adminToken)\r\n\r\n"
            try await withThrowingTaskGroup { tasks in
                for _ in 0..<64 {
                    tasks.addTask {
                        _ = try await RawConnection.open(port: node.adminPort).exchange([request]) {
                            $0.contains("data: {}")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            try await eventually("room for another stream", within: .seconds(3)) {
                let text = try await RawConnection.open(port: node.adminPort).exchange([request]) {
                    $0.contains("data: {}") || $0.contains("too-busy")
                }
                return text.contains("event: begin")
            }
        }
    }

    @Test func `events of other topics are not looked at again and again`() async throws {
        try await DoorNode.with { node in
            let start = FeedPlace(transaction: 0, number: 0)
            for number in 0..<3 {
                _ = try await node.store.setAttributes(["n": "\(number)"], of: node.right.incarnation)
            }
            let page = try await node.store.feed(after: start, topics: [.lease], limit: 2)
            #expect(page.entries.isEmpty && page.reached > start && page.hasMore)
            let all = try await node.store.feed(after: start, topics: [.membership], limit: 1_000)
            let rest = try await node.store.feed(after: all.reached, topics: [.membership], limit: 10)
            #expect(!all.hasMore && all.entries.count >= 3 && rest == FeedPage(nothingAfter: all.reached))
        }
    }

    @Test func `who ended a drain is told, and why`() async throws {
        try await DoorNode.with { node in
            let path = "/api/v1/nodes/\(node.right.name)"
            for (order, reason) in [("drain", "disk"), ("resume", "new disk")] {
                let answer = try await node.admin(
                    "POST", "\(path)/\(order)", json: #"{"reason": "\#(reason)"}"#)
                #expect(answer.status == 200, "\(answer.text)")
                try await node.beat()
            }
            let page = try await node.store.feed(
                after: FeedPlace(transaction: 0, number: 0), topics: [.membership], limit: 100)
            let said = page.entries.map(\.change)
            #expect(said.contains { $0.hasPrefix("drained: disk (by ") }, "\(said)")
            #expect(said.contains { $0.hasPrefix("resumed: new disk (by ") }, "\(said)")
        }
    }

    @Test func `wrong questions are named`() async throws {
        try await DoorNode.with { node in
            for (query, problem) in [
                ("topics=jobs", "invalid-parameter"), ("topics=", "invalid-parameter"),
                ("after=1", "invalid-parameter"), ("after=01-2", "invalid-parameter"),
                ("since=1-1", "unknown-parameter"),
            ] {
                let refused = try await node.admin("GET", "/api/v1/watch?\(query)")
                #expect(refused.status == 400 && refused.problem == problem, "\(query)")
            }
            let header = try await node.admin("GET", "/api/v1/watch", ["last-event-id": "x"])
            #expect(header.status == 400 && header.problem == "invalid-header")
            #expect(try await node.admin("HEAD", "/api/v1/watch").status == 405)
        }
    }

    private static func ids(_ text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("id: ") }.map {
            String($0.dropFirst(4))
        }
    }

    /// Reads the stream until it has the text; what is to happen begins once the stream has begun.
    private func watch(
        _ node: DoorNode, _ target: String, last: String? = nil, until text: String,
        _ happening: @Sendable () async throws -> Void
    ) async throws -> String {
        let header = last.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        let request =
            "GET \(target) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(node.adminToken)\r\n\(header)\r\n"
        let connection = try await RawConnection.open(port: node.adminPort)
        return try await withThrowingTaskGroup(of: String?.self) { group in
            let (begun, source) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            group.addTask {
                try await connection.exchange([request]) { received in
                    if received.contains("data: {}") { source.yield() }
                    return received.contains(text)
                }
            }
            for await _ in begun { break }
            try await happening()
            return try await group.next().flatMap { $0 } ?? ""
        }
    }
}
