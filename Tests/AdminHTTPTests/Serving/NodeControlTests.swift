import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import HTTPDoor
import PostgresDriver
import PostgresStore
import Testing

@Suite struct NodeControlTests {
    @Test func `a drain is idempotent, visible, and can be cancelled`() async throws {
        try await DoorNode.with { node in
            let drained = try await node.admin(
                "POST", "/api/v1/nodes/worker-1/drain", json: #"{"reason":"new disk"}"#)
            #expect(drained.status == 200 && drained.text("status") == "draining")
            let drain = try #require(drained.member("drain") as? [String: Any])
            #expect(drain["by"] as? String == "operator")
            #expect((drain["reason"] as? String)?.hasPrefix("new disk (by ") == true)
            let before = try await node.store.view().version
            let again = try await node.admin("POST", "/api/v1/nodes/worker-1/drain")
            #expect(again.status == 200 && again.text("status") == "draining")
            #expect(try await node.store.view().version == before)
            let resumed = try await node.admin("POST", "/api/v1/nodes/worker-1/resume")
            #expect(resumed.status == 200 && resumed.text("status") == "active")
            #expect(resumed.member("drain") == nil)
            #expect(try await node.store.view().version == before + 1)
            let views = try await node.admin("GET", "/api/v1/cluster/views?limit=2").items()
            #expect(views.map { ($0["reason"] as? String)?.prefix(7) } == ["resumed", "drained"])
        }
    }

    @Test func `a node ends only its own drain, and an operator's word goes before`() async throws {
        try await DoorNode.with { node in
            let here = node.right.incarnation
            let sick = try await node.store.drain(here, by: .node, reason: "slow mount")
            #expect(sick?.status == .draining && sick?.drain?.by == .node)
            #expect(try await node.store.resume(here, by: .node)?.status == .active)
            _ = try await node.store.drain(here, by: .node, reason: "slow mount")
            #expect(try await node.store.drain(here, by: .operator, reason: "mine")?.drain?.by == .operator)
            #expect(try await node.store.resume(here, by: .node)?.status == .draining)
            #expect(try await node.store.drain(here, by: .node, reason: "x")?.drain?.reason == "mine")
            #expect(try await node.store.resume(here, by: .operator)?.status == .active)
        }
    }

    @Test func `attributes are set, merged and removed, and stay with the name`() async throws {
        try await DoorNode.with { node in
            let set = try await node.admin(
                "PATCH", "/api/v1/nodes/worker-1", json: #"{"attributes":{"zone":"b","ssd":"yes"}}"#)
            #expect(set.status == 200)
            #expect(set.member("attributes") as? [String: String] == ["zone": "b", "ssd": "yes"])
            let removed = try await node.admin(
                "PATCH", "/api/v1/nodes/worker-1", json: #"{"attributes":{"zone":null}}"#)
            #expect(removed.member("attributes") as? [String: String] == ["zone": "a", "ssd": "yes"])
            for (body, problem) in [
                (#"{}"#, "invalid-field"), (#"{"attributes":{}}"#, "invalid-field"),
                (#"{"attributes":{"Z":"x"}}"#, "invalid-field"),
                (#"{"attributes":{"z":1}}"#, "invalid-field"),
                (#"{"attributes":{"z":"x"},"zone":"b"}"#, "unknown-field"),
                (#"{"attributes":{"z":"x"},"incarnation":1.5}"#, "invalid-field"),
            ] {
                let refused = try await node.admin("PATCH", "/api/v1/nodes/worker-1", json: body)
                #expect(refused.status == 400 && refused.problem == problem, "\(body)")
            }
        }
    }

    @Test func `an evicted incarnation is dead, and only the one that was meant`() async throws {
        try await DoorNode.with { node in
            let other = try await node.admin(
                "POST", "/api/v1/nodes/worker-1/evict", json: #"{"incarnation":1}"#)
            #expect(other.status == 409 && other.problem == "changed")
            let gone = try await node.admin(
                "POST", "/api/v1/nodes/worker-1/evict", json: #"{"reason":"hangs"}"#)
            #expect(gone.status == 204)
            let view = try await node.store.view()
            #expect(view.members.first?.status == .dead)
            #expect(try await node.store.departures(limit: 10).map(\.incarnation) == [node.right.incarnation])
            node.standing.set(view: view)
            for action in ["evict", "drain", "resume"] {
                let late = try await node.admin("POST", "/api/v1/nodes/worker-1/\(action)")
                #expect(late.status == 409 && late.problem == "changed", "\(action)")
            }
            #expect(try await node.admin("POST", "/api/v1/nodes/worker-9/evict").problem == "not-found")
        }
    }

    @Test func `operators set at most 64 attributes of a node, and take away from more`() async throws {
        try await DoorNode.with { node in
            func set(_ names: [String]) async throws -> TestAnswer {
                let fields = names.map { "\"\($0)\":\"x\"" }.joined(separator: ",")
                return try await node.admin(
                    "PATCH", "/api/v1/nodes/worker-1", json: "{\"attributes\":{\(fields)}}")
            }
            #expect(try await set((1...64).map { "a\($0)" }).status == 200)
            #expect(try await set(["a1"]).status == 200)
            #expect(try await set(["b"]).problem == "invalid-field")
            _ = try await node.store.pool.query(
                "update flotilla.member set set_attributes = set_attributes || '{\"c\":\"\",\"d\":\"\"}'")
            let fewer = try await node.admin(
                "PATCH", "/api/v1/nodes/worker-1", json: #"{"attributes":{"c":null}}"#)
            let left = try #require(fewer.member("attributes") as? [String: String])
            #expect(fewer.status == 200 && left["c"] == nil && left["d"] == "")
        }
    }

    @Test func `an auditor changes no node`() async throws {
        try await DoorNode.with { node in
            let (_, auditor) = try await node.desk.issueToken(label: "reader", role: .auditor, expiresAt: nil)
            for action in ["evict", "drain", "resume"] {
                let refused = try await node.admin(
                    "POST", "/api/v1/nodes/worker-1/\(action)", token: auditor)
                #expect(refused.status == 403, "\(action)")
            }
            #expect(try await node.admin("GET", "/api/v1/cluster/views", token: auditor).status == 200)
        }
    }

    @Test func `pages of the history neither overlap nor leave anything out`() async throws {
        try await DoorNode.with { node in
            for number in 0..<5 {
                _ = try await node.store.setAttributes(["n": "\(number)"], of: node.right.incarnation)
            }
            var versions: [Int] = []
            var target: String? = "/api/v1/cluster/views?limit=2&node=worker-1"
            while let here = target {
                let page = try await node.admin("GET", here)
                versions += page.items().compactMap { $0["view_version"] as? Int }
                target = page.text("next").map { "/api/v1/cluster/views?limit=2&node=worker-1&cursor=\($0)" }
            }
            #expect(versions.count == 6 && versions == versions.sorted(by: >))
            let first = try await node.admin("GET", "/api/v1/cluster/views?limit=1")
            let cursor = try #require(first.text("next"))
            let foreign = try await node.admin("GET", "/api/v1/cluster/views?node=worker-1&cursor=\(cursor)")
            #expect(foreign.problem == "invalid-parameter")
        }
    }
}
