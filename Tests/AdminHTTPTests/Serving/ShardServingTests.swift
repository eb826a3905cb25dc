import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import PostgresStore
import Testing

@Suite struct ShardServingTests {
    /// Gives the node the first ten shards; it takes five of them.
    private func share(_ node: DoorNode) async throws -> [ShardTitle] {
        let lead = try #require(try await node.store.takeLead(LeadClaim(right: node.right, term: 0)))
        let leader = LeaderRight(right: node.right, term: lead.term)
        let numbers = ShardNumber.all.prefix(10)
        let moves = numbers.map {
            ShardMove(number: $0, from: nil, to: node.right.incarnation, cause: .unassigned)
        }
        #expect(try await node.store.assign(moves, by: leader).count == 10)
        let takings = numbers.prefix(5).map { ShardTaking(number: $0, after: nil) }
        return try await node.store.take(takings, by: node.right)
    }

    @Test func `shards are listed by state and node, and shown with why`() async throws {
        try await DoorNode.with { node in
            let titles = try await self.share(node)
            #expect(titles.count == 5)
            let all = try await node.admin("GET", "/api/v1/shards")
            #expect(all.items().count == 256 && all.text("next") == nil)
            let owned = try await node.admin("GET", "/api/v1/shards?state=owned&node=worker-1")
            #expect(owned.items().map { $0["number"] as? Int } == [0, 1, 2, 3, 4])
            let first = try #require(owned.items().first)
            #expect((first["owner"] as? [String: Any])?["node"] as? String == "worker-1")
            #expect(first["epoch"] as? Int64 == titles.first?.epoch.rawValue)
            #expect(first["reason"] as? String == "not assigned yet")
            let waiting = try await node.admin("GET", "/api/v1/shards?state=waiting&sort=-number")
            #expect(waiting.items().map { $0["number"] as? Int } == [9, 8, 7, 6, 5])
            #expect(try await node.admin("GET", "/api/v1/shards?state=unassigned").items().count == 246)
            #expect(try await node.admin("GET", "/api/v1/shards?node=worker-9").items().isEmpty)
            let shown = try await node.admin("GET", "/api/v1/shards/9")
            #expect(shown.status == 200)
            #expect((shown.member("shard") as? [String: Any])?["state"] as? String == "waiting")
            #expect((shown.member("because") as? [String]) == ["shard 9, as the test explains it"])
            for (query, problem) in [
                ("state=gone", "invalid-parameter"), ("owner=x", "unknown-parameter"),
                ("limit=257", "invalid-parameter"), ("cursor=abc", "invalid-parameter"),
            ] {
                #expect(try await node.admin("GET", "/api/v1/shards?\(query)").problem == problem, "\(query)")
            }
            for text in ["256", "-1", "07", "x"] {
                let none = try await node.admin("GET", "/api/v1/shards/\(text)")
                #expect(none.status == 404 && none.problem == "not-found" && none.text("name") == text)
            }
        }
    }

    @Test func `pages of shards`() async throws {
        try await DoorNode.with { node in
            var seen: [Int] = []
            var target: String? = "/api/v1/shards?limit=100"
            while let here = target {
                let page = try await node.admin("GET", here)
                seen += page.items().compactMap { $0["number"] as? Int }
                target = page.text("next").map { "/api/v1/shards?limit=100&cursor=\($0)" }
            }
            #expect(seen == Array(0...255))
        }
    }

    @Test func `shards are pinned, unpinned and moved by operators`() async throws {
        try await DoorNode.with { node in
            let body = #"{"node":"worker-1"}"#
            let pinned = try await node.admin("PUT", "/api/v1/shards/7/pin", json: body)
            #expect(pinned.status == 200 && pinned.text("pinned") == "worker-1")
            #expect(try await node.admin("GET", "/api/v1/shards?pinned=true").items().count == 1)
            let free = try await node.admin("DELETE", "/api/v1/shards/7/pin")
            #expect(free.status == 200 && free.text("pinned") == nil)
            let moved = try await node.admin("POST", "/api/v1/shards/7/move", json: body)
            #expect(moved.status == 200 && moved.text("state") == "waiting")
            #expect(moved.text("reason") == "moved by first administrator")
            #expect((moved.member("wanted") as? [String: Any])?["node"] as? String == "worker-1")

            for (target, text, status, problem) in [
                ("PUT /7/pin", #"{"node":"worker-9"}"#, 400, "invalid-field"),
                ("PUT /7/pin", #"{"node":"No Name"}"#, 400, "invalid-field"),
                ("PUT /7/pin", #"{"node":"worker-1","x":1}"#, 400, "unknown-field"),
                ("POST /7/move", "{}", 400, "invalid-field"), ("PUT /300/pin", body, 404, "not-found"),
                ("POST /300/move", body, 404, "not-found"),
            ] {
                let words = target.split(separator: " ").map(String.init)
                let answer = try await node.admin(words[0], "/api/v1/shards\(words[1])", json: text)
                #expect(answer.status == status && answer.problem == problem, "\(target) \(text)")
            }
            let (_, auditor) = try await node.desk.issueToken(label: "reader", role: .auditor, expiresAt: nil)
            let refused = try await node.admin("DELETE", "/api/v1/shards/7/pin", token: auditor)
            #expect(refused.status == 403)

            // A node that takes nothing new gets none.
            _ = try await node.store.drain(node.right.incarnation, by: .operator, reason: "test")
            let late = try await node.admin("POST", "/api/v1/shards/8/move", json: body)
            #expect(late.status == 409 && late.problem == "changed")
            try await node.beat()
            #expect(try await node.admin("POST", "/api/v1/shards/8/move", json: body).status == 409)
            let feed = try await node.store.feed(
                after: FeedPlace(transaction: 0, number: 0), topics: [.shard], limit: 10
            ).entries
            #expect(
                feed.map(\.change) == ["pinned to worker-1", "not pinned any more", "assigned"]
                    && feed.allSatisfy { $0.subject == "7" })
        }
    }
}
