import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import PostgresStore
import Testing

@Suite struct LeaseServingTests {
    private func take(_ node: DoorNode, _ count: Int) async throws -> [Epoch] {
        let kind = try #require(LeaseKind("test"))
        var requests: [LeaseRequest] = []
        for number in 0..<count {
            let subject = try #require(LeaseSubject(kind: kind, id: "work/\(number)"))
            requests.append(LeaseRequest(subject: subject, deadline: number == 0 ? .seconds(60) : nil))
        }
        return try await node.store.acquire(requests, by: node.right).compactMap { answer in
            guard case .granted(let epoch) = answer else { return nil }
            return epoch
        }
    }

    @Test func `leases are listed, shown and taken away by their epoch`() async throws {
        try await DoorNode.with { node in
            let epochs = try await self.take(node, 3)
            let all = try await node.admin("GET", "/api/v1/leases?node=worker-1&kind=test")
            #expect(all.items().map { $0["epoch"] as? Int64 } == epochs.map(\.rawValue).sorted())
            let one = try await node.admin("GET", "/api/v1/leases/\(epochs[0])")
            #expect(one.status == 200 && one.text("kind") == "test" && one.text("id") == "work/0")
            #expect(one.member("deadline_seconds") as? Double == 60)
            let ended = try await node.admin("DELETE", "/api/v1/leases/\(epochs[0])")
            #expect(ended.status == 200 && ended.text("id") == "work/0")
            let again = try await node.admin("DELETE", "/api/v1/leases/\(epochs[0])")
            #expect(again.status == 404 && again.problem == "not-found")
            #expect(try await node.admin("GET", "/api/v1/leases/x").status == 404)
            let losses = try await node.store.losses(of: node.right.incarnation, after: 0)
            #expect(losses.map(\.title.epoch) == [epochs[0]])
            let feed = try await node.store.feed(
                after: FeedPlace(transaction: 0, number: 0), topics: [.lease], limit: 10
            ).entries
            #expect(feed.map(\.change) == ["forced"] && feed.map(\.subject) == ["test/work/0"])
        }
    }

    @Test func `pages and filters of leases`() async throws {
        try await DoorNode.with { node in
            let epochs = try await self.take(node, 5)
            var seen: [Int64] = []
            var target: String? = "/api/v1/leases?limit=2&sort=-epoch"
            while let here = target {
                let page = try await node.admin("GET", here)
                seen += page.items().compactMap { $0["epoch"] as? Int64 }
                target = page.text("next").map { "/api/v1/leases?limit=2&sort=-epoch&cursor=\($0)" }
            }
            #expect(seen == epochs.map(\.rawValue).sorted(by: >))
            #expect(try await node.admin("GET", "/api/v1/leases?id=work/3").items().count == 1)
            #expect(try await node.admin("GET", "/api/v1/leases?older_than=3600").items().isEmpty)
            #expect(try await node.admin("GET", "/api/v1/leases?kind=other").items().isEmpty)
            for (query, problem) in [
                ("kind=UPPER", "invalid-parameter"), ("state=x", "unknown-parameter"),
                ("older_than=-1", "invalid-parameter"), ("cursor=abc", "invalid-parameter"),
            ] {
                #expect(try await node.admin("GET", "/api/v1/leases?\(query)").problem == problem, "\(query)")
            }
            let (_, auditor) = try await node.desk.issueToken(label: "reader", role: .auditor, expiresAt: nil)
            let refused = try await node.admin("DELETE", "/api/v1/leases/\(epochs[0])", token: auditor)
            #expect(refused.status == 403)
        }
    }
}
