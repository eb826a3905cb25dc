import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import PostgresStore
import Testing

@Suite struct WebhookServingTests {
    private static let url = "http://127.0.0.1:9/hook"

    private func add(_ node: DoorNode, _ name: String, _ more: String = "") async throws -> TestAnswer {
        try await node.admin(
            "POST", "/api/v1/webhooks",
            json: #"{"name": "\#(name)", "url": "\#(Self.url)", "events": ["file.published"]\#(more)}"#)
    }

    @Test func `a webhook is added, shown, changed under its tag, and removed`() async throws {
        try await DoorNode.with { node in
            _ = try await node.makeAccount("alice")
            let made = try await self.add(
                node, "hook", #", "account": "alice", "below": "/in/", "ordered": true"#)
            #expect(made.status == 201 && made.headers["location"] == "/api/v1/webhooks/hook")
            #expect(
                made.text("account") == "alice" && made.text("below") == "/in" && made.text("url") == Self.url
            )
            let secret = try #require(made.text("secret"))
            #expect(secret.hasPrefix("flw_") && secret.utf8.count == 47)
            let shown = try await node.admin("GET", "/api/v1/webhooks/hook")
            #expect(
                shown.status == 200 && shown.member("secret") == nil && shown.text("id") == made.text("id"))
            let tag = try #require(shown.headers["etag"])
            #expect(tag == made.headers["etag"])

            let changed = try await node.admin(
                "PATCH", "/api/v1/webhooks/hook", ["if-match": tag],
                json: #"{"enabled": false, "events": ["file.moved", "folder.moved"], "new_secret": true}"#)
            #expect(changed.status == 200 && changed.member("enabled") as? Bool == false)
            #expect(changed.member("events") as? [String] == ["file.moved", "folder.moved"])
            let second = try #require(changed.text("secret"))
            #expect(second != secret && second.hasPrefix("flw_"))
            let late = try await node.admin(
                "PATCH", "/api/v1/webhooks/hook", ["if-match": tag], json: #"{"enabled": true}"#)
            #expect(
                late.status == 412 && late.problem == "changed"
                    && late.headers["etag"] == changed.headers["etag"])
            let refused = try await node.admin("DELETE", "/api/v1/webhooks/hook", ["if-match": tag])
            #expect(refused.status == 412)
            #expect(try await node.admin("DELETE", "/api/v1/webhooks/hook").status == 204)
            let gone = try await node.admin("GET", "/api/v1/webhooks/hook")
            #expect(gone.status == 404 && gone.problem == "not-found")
            #expect(
                try await node.admin("PATCH", "/api/v1/webhooks/hook", json: #"{"enabled": true}"#).status
                    == 404)
        }
    }

    @Test func `a secret of one's own is taken and not shown`() async throws {
        try await DoorNode.with { node in
            let made = try await self.add(node, "hook", #", "secret": "my-own-secret-0123""#)
            #expect(made.status == 201 && made.member("secret") == nil)
            let id = try #require(made.text("id").flatMap { UUID(uuidString: $0) })
            #expect(try await node.store.target(id)?.secret.text == "my-own-secret-0123")
        }
    }

    @Test func `what is wrong with a webhook is named`() async throws {
        try await DoorNode.with { node in
            #expect(try await self.add(node, "hook").status == 201)
            let taken = try await self.add(node, "hook")
            #expect(taken.status == 409 && taken.problem == "taken")
            for (more, field) in [
                (#", "account": "nobody""#, "account"), (#", "account": "NO""#, "account"),
                (#", "secret": "short""#, "secret"), (#", "max_attempts": 0"#, "max_attempts"),
                (#", "max_attempts": 9007199254740993"#, "max_attempts"), (#", "below": "/a/../b""#, "below"),
                (#", "new_secret": true"#, "new_secret"), (#", "ordered": "yes""#, "ordered"),
            ] {
                let answer = try await self.add(node, "other", more)
                #expect(answer.status == 400 && answer.problem == "invalid-field", "\(more)")
                #expect(answer.text("field") == field)
            }
            for (body, field) in [
                (#"{"name": "x", "url": "ftp://h", "events": ["file.moved"]}"#, "url"),
                (#"{"name": "x", "url": "http://u:p@h/", "events": ["file.moved"]}"#, "url"),
                (#"{"name": "x", "url": "http://h/#a", "events": ["file.moved"]}"#, "url"),
                (#"{"name": "x", "url": "http:///a", "events": ["file.moved"]}"#, "url"),
                (#"{"name": "x", "url": "http://h/", "events": []}"#, "events"),
                (#"{"name": "x", "url": "http://h/", "events": ["file.eaten"]}"#, "events"),
                (#"{"name": "x", "url": "http://h/", "events": "file.moved"}"#, "events"),
                (#"{"name": "X", "url": "http://h/", "events": ["file.moved"]}"#, "name"),
                (#"{"url": "http://h/", "events": ["file.moved"]}"#, "name"),
                (#"{"name": "x", "events": ["file.moved"]}"#, "url"),
                (#"{"name": "x", "url": "http://h/"}"#, "events"),
            ] {
                let answer = try await node.admin("POST", "/api/v1/webhooks", json: body)
                #expect(answer.status == 400 && answer.text("field") == field, "\(body)")
            }
            let unknown = try await self.add(node, "other", #", "colour": "red""#)
            #expect(unknown.status == 400 && unknown.problem == "unknown-field")
            let nothing = try await node.admin("PATCH", "/api/v1/webhooks/hook", json: "{}")
            #expect(nothing.status == 400 && nothing.problem == "invalid-body")
            let parameter = try await node.admin("GET", "/api/v1/webhooks/hook?x=1")
            #expect(parameter.status == 400 && parameter.problem == "unknown-parameter")
            let (_, auditor) = try await node.desk.issueToken(label: "reader", role: .auditor, expiresAt: nil)
            #expect(try await node.admin("DELETE", "/api/v1/webhooks/hook", token: auditor).status == 403)
            #expect(try await node.admin("GET", "/api/v1/webhooks", token: auditor).status == 200)
        }
    }

    @Test func `webhooks are listed in pages`() async throws {
        try await DoorNode.with { node in
            for name in ["c", "a", "b"] { #expect(try await self.add(node, name).status == 201) }
            var seen: [String] = []
            var target: String? = "/api/v1/webhooks?limit=2&enabled=true"
            while let here = target {
                let page = try await node.admin("GET", here)
                #expect(!page.text.contains("secret"))
                seen += page.items().compactMap { $0["name"] as? String }
                target = page.text("next").map { "/api/v1/webhooks?limit=2&enabled=true&cursor=\($0)" }
            }
            #expect(seen == ["a", "b", "c"])
            #expect(try await node.admin("GET", "/api/v1/webhooks?enabled=false").items().isEmpty)
            for (query, problem) in [
                ("enabled=maybe", "invalid-parameter"), ("limit=0", "invalid-parameter"),
                ("cursor=abc", "invalid-parameter"), ("colour=red", "unknown-parameter"),
            ] {
                #expect(
                    try await node.admin("GET", "/api/v1/webhooks?\(query)").problem == problem, "\(query)")
            }
        }
    }

    @Test func `a test is accepted as a job`() async throws {
        try await DoorNode.with { node in
            #expect(try await self.add(node, "hook").status == 201)
            let test = try await node.admin("POST", "/api/v1/webhooks/hook/test")
            #expect(test.status == 202 && (test.member("job") as? Int64 ?? 0) > 0)
            #expect(try await node.admin("POST", "/api/v1/webhooks/other/test").status == 404)
        }
    }

    @Test func `what happens at the files' door is an event`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("PUT", "/files/before", alice, body: [1]).status == 201)
            #expect(
                try await node.admin(
                    "POST", "/api/v1/webhooks",
                    json: #"""
                        {"name": "all", "url": "http://127.0.0.1:9/", "events": ["file.published", "file.removed",
                         "file.moved", "folder.created", "folder.removed", "folder.moved"]}
                        """#
                ).status == 201)
            #expect(try await node.files("PUT", "/files/a", alice, body: [1, 2, 3]).status == 201)
            #expect(try await node.files("MKCOL", "/files/d", alice).status == 201)
            #expect(
                try await node.files("MOVE", "/files/a", alice, ["destination": "/files/d/b"]).status == 201)
            #expect(try await node.files("DELETE", "/files/d/b", alice).status == 204)
            #expect(try await node.files("DELETE", "/files/d", alice).status == 204)
            var items: [[String: Any]] = []
            try await eventually("five events") {
                items = try await node.admin("GET", "/api/v1/events?sort=id").items()
                return items.count >= 5
            }
            #expect(
                items.map { $0["kind"] as? String } == [
                    "file.published", "folder.created", "file.moved", "file.removed", "folder.removed",
                ])
            #expect(items.map { $0["path"] as? String } == ["/a", "/d", "/a", "/d/b", "/d"])
            #expect(items.map { $0["target"] as? String } == [nil, nil, "/d/b", nil, nil])
            let first = try #require(items.first)
            #expect(first["size"] as? Int == 3 && (first["sha256"] as? String)?.count == 64)
            let operation = try #require(first["operation"] as? String)
            #expect(try await node.admin("GET", "/api/v1/transfers/\(operation)").status == 200)

            let one = try await node.admin("GET", "/api/v1/events/\(first["id"] as? Int64 ?? 0)")
            let deliveries = try #require(one.member("deliveries") as? [[String: Any]])
            #expect(one.status == 200 && deliveries.map { $0["webhook"] as? String } == ["all"])
            #expect(deliveries.map { $0["outcome"] as? String } == [nil])
            #expect(deliveries.map { $0["state"] as? String } == ["ready"])
            #expect(try await node.admin("GET", "/api/v1/events?kind=file.moved").items().count == 1)
            #expect(try await node.admin("GET", "/api/v1/events?account=bob").items().isEmpty)
            #expect(try await node.admin("GET", "/api/v1/events?operation=\(operation)").items().count == 1)
            #expect(try await node.admin("GET", "/api/v1/events?before=2020-01-01T00:00:00Z").items().isEmpty)
            let page = try await node.admin("GET", "/api/v1/events?limit=4")
            let cursor = try #require(page.text("next"))
            let rest = try await node.admin("GET", "/api/v1/events?limit=4&cursor=\(cursor)")
            #expect(
                rest.items().map { $0["id"] as? Int64 } == [first["id"] as? Int64] && rest.text("next") == nil
            )
            #expect(try await node.admin("GET", "/api/v1/events?sort=id&cursor=\(cursor)").status == 400)
            #expect(try await node.admin("GET", "/api/v1/events?kind=x").problem == "invalid-parameter")
            #expect(try await node.admin("GET", "/api/v1/events/0").status == 404)
        }
    }
}
