import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import HTTPDoor
import Testing

@Suite struct AdminServingTests {
    @Test func `a token is needed, and its role counts`() async throws {
        try await DoorNode.with { node in
            for headers in [
                ["authorization": "Bearer flt_nonsense"], ["authorization": "Basic eDp5"],
                ["authorization": "x"],
            ] {
                let answer = try await node.admin("GET", "/api/v1/cluster", headers)
                #expect(answer.status == 401 && answer.problem == "unauthorized")
                #expect(answer.headers["www-authenticate"] == #"Bearer realm="Flotilla""#)
            }
            let (_, auditor) = try await node.desk.issueToken(label: "reader", role: .auditor, expiresAt: nil)
            let (_, keeper) = try await node.desk.issueToken(label: "keeper", role: .operator, expiresAt: nil)
            #expect(try await node.admin("GET", "/api/v1/accounts", token: auditor).status == 200)
            let refused = try await node.admin(
                "POST", "/api/v1/accounts", token: auditor, json: #"{"name":"eve"}"#)
            #expect(
                refused.status == 403 && refused.problem == "forbidden" && refused.text("role") == "auditor")
            #expect(
                try await node.admin("POST", "/api/v1/accounts", token: keeper, json: #"{"name":"eve"}"#)
                    .status == 201)
        }
    }

    @Test func `the cluster and its nodes are shown`() async throws {
        try await DoorNode.with { node in
            let cluster = try await node.admin("GET", "/api/v1/cluster")
            #expect(cluster.status == 200)
            #expect((cluster.member("members") as? [String: Any])?["active"] as? Int == 1)
            let here = try #require(cluster.member("this_node") as? [String: Any])
            #expect(here["name"] as? String == "worker-1" && here["standing"] as? String == "serving")
            let nodes = try await node.admin("GET", "/api/v1/nodes")
            #expect(nodes.items().map { $0["name"] as? String } == ["worker-1"])
            #expect(nodes.member("partial") as? Bool == false)
            #expect((nodes.member("missing_nodes") as? [String])?.isEmpty == true)
            let one = try await node.admin("GET", "/api/v1/nodes/worker-1")
            #expect((one.member("attributes") as? [String: String]) == ["zone": "a"])
            let none = try await node.admin("GET", "/api/v1/nodes/worker-9")
            #expect(none.status == 404 && none.problem == "not-found" && none.text("name") == "worker-9")
            #expect(try await node.admin("GET", "/api/v1/nodes?status=dead").items().isEmpty)
            let unknown = try await node.admin("GET", "/api/v1/nodes?state=dead")
            #expect(
                unknown.status == 400 && unknown.problem == "unknown-parameter"
                    && unknown.text("parameter") == "state")
            #expect(try await node.admin("GET", "/api/v1/cluster?x=1").problem == "unknown-parameter")
            #expect(try await node.admin("GET", "/api/v1/none").problem == "no-route")
            #expect(try await node.admin("PUT", "/api/v1/cluster").problem == "method-not-allowed")
            #expect(try await node.admin("GET", "/api/v1/cache").member("configured") as? Bool == false)
        }
    }

    @Test func `an account's life`() async throws {
        try await DoorNode.with { node in
            let made = try await node.admin(
                "POST", "/api/v1/accounts", json: #"{"name":"alice","password":"long enough"}"#)
            #expect(made.status == 201 && made.headers["location"] == "/api/v1/accounts/alice")
            let etag = try #require(made.headers["etag"])
            #expect(made.member("has_password") as? Bool == true && !made.text.contains("scrypt"))
            let twice = try await node.admin("POST", "/api/v1/accounts", json: #"{"name":"alice"}"#)
            #expect(twice.status == 409 && twice.problem == "taken")
            let login = TestLogin(name: "alice", password: "long enough")
            try await node.beat()
            #expect(try await node.files("GET", "/files/", login).status == 200)
            let stale = try await node.admin(
                "PATCH", "/api/v1/accounts/alice", ["if-match": "\"77\""], json: #"{"enabled":false}"#)
            #expect(stale.status == 412 && stale.problem == "changed" && stale.headers["etag"] == etag)
            let off = try await node.admin(
                "PATCH", "/api/v1/accounts/alice", ["if-match": etag], json: #"{"enabled":false}"#)
            #expect(
                off.status == 200 && off.member("enabled") as? Bool == false && off.headers["etag"] != etag)
            try await node.beat()
            #expect(try await node.files("GET", "/files/", login).status == 401)
            #expect(try await node.admin("GET", "/api/v1/accounts?enabled=true").items().isEmpty)
            let new = #"{"enabled":true,"password":"another one"}"#
            #expect(try await node.admin("PATCH", "/api/v1/accounts/alice", json: new).status == 200)
            try await node.beat()
            #expect(try await node.files("GET", "/files/", login).status == 401)
            let again = TestLogin(name: "alice", password: "another one")
            #expect(try await node.files("GET", "/files/", again).status == 200)
            #expect(try await node.admin("GET", "/api/v1/accounts/bob").problem == "not-found")
        }
    }

    @Test func `a folder that is there is adopted only when asked`() async throws {
        try await DoorNode.with { node in
            let home = node.mount.appending(path: "homes/old")
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            try Data([1]).write(to: home.appending(path: "file"))
            let refused = try await node.admin("POST", "/api/v1/accounts", json: #"{"name":"old"}"#)
            #expect(refused.status == 409 && refused.problem == "exists")
            let adopted = try await node.admin(
                "POST", "/api/v1/accounts", json: #"{"name":"old","adopt":true}"#)
            #expect(adopted.status == 201)
        }
    }

    @Test func `keys are made, listed without secrets, and revoked`() async throws {
        try await DoorNode.with { node in
            _ = try await node.makeAccount("alice")
            let address = "/api/v1/accounts/alice/keys"
            let made = try await node.admin(
                "POST", address, json: #"{"label":"robot","expires_at":"2999-01-01T00:00:00Z"}"#)
            #expect(made.status == 201)
            let id = try #require(made.text("id"))
            let secret = try #require(made.text("secret"))
            let listed = try await node.admin("GET", address)
            #expect(listed.items().map { $0["id"] as? String } == [id])
            #expect(!listed.text.contains(secret) && !listed.text.contains("digest"))
            try await node.beat()
            let headers = ["authorization": "Bearer \(secret)"]
            #expect(try await node.files("GET", "/files/", nil, headers).status == 200)
            #expect(try await node.admin("DELETE", "\(address)/\(id)").status == 204)
            try await node.beat()
            #expect(try await node.files("GET", "/files/", nil, headers).status == 401)
            #expect(try await node.admin("DELETE", "\(address)/nonsense").problem == "not-found")
            #expect(
                try await node.admin("POST", "/api/v1/accounts/bob/keys", json: #"{"label":"x"}"#).problem
                    == "not-found")
        }
    }

    @Test func `bad bodies are refused with the field's name`() async throws {
        try await DoorNode.with { node in
            let cases: [(String, Int, String, String?)] = [
                (#"{"name":"alice","pasword":"x"}"#, 400, "unknown-field", "pasword"),
                (#"{"name":"Not A Name"}"#, 400, "invalid-field", "name"),
                (#"{"name":7}"#, 400, "invalid-field", "name"),
                (#"{}"#, 400, "invalid-field", "name"), ("[", 400, "invalid-body", nil),
                (
                    #"{"name":"a","password":"\#(String(repeating: "p", count: 70_000))"}"#, 413, "too-large",
                    nil
                ),
            ]
            for (body, status, type, field) in cases {
                let answer = try await node.admin("POST", "/api/v1/accounts", json: body)
                #expect(
                    answer.status == status && answer.problem == type, "\(body.prefix(80)): \(answer.text)")
                #expect(answer.text("field") == field)
            }
            let form = try await node.admin(
                "POST", "/api/v1/accounts", ["content-type": "application/x-www-form-urlencoded"],
                json: "name=x")
            #expect(form.status == 415 && form.problem == "unsupported-media-type")
            let similar = try await node.admin(
                "POST", "/api/v1/accounts", ["content-type": "application/jsonp"], json: "{}")
            #expect(similar.status == 415)
            let detailed = try await node.admin(
                "POST", "/api/v1/accounts", ["content-type": "Application/JSON ; charset=utf-8"], json: "{}")
            #expect(detailed.problem == "invalid-field")
            #expect(try await node.admin("GET", "/api/v1/accounts").items().isEmpty)
        }
    }

    @Test func `accounts come in pages`() async throws {
        try await DoorNode.with { node in
            for number in 1...5 {
                let body = #"{"name":"a\#(number)"}"#
                #expect(try await node.admin("POST", "/api/v1/accounts", json: body).status == 201)
            }
            var names: [String] = []
            var cursor: String?
            repeat {
                let query = "limit=2" + (cursor.map { "&cursor=\($0)" } ?? "")
                let page = try await node.admin("GET", "/api/v1/accounts?\(query)")
                names += page.items().compactMap { $0["name"] as? String }
                cursor = page.text("next")
                if let cursor {
                    let other = try await node.admin("GET", "/api/v1/accounts?enabled=true&cursor=\(cursor)")
                    #expect(other.problem == "invalid-parameter")
                }
            } while cursor != nil
            #expect(names == ["a1", "a2", "a3", "a4", "a5"])
        }
    }

    @Test func `the transfer log is filtered, sorted and paged`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for number in 1...7 {
                let body = [UInt8](repeating: 1, count: number * 10)
                #expect(try await node.files("PUT", "/files/f\(number)", alice, body: body).status == 201)
            }
            _ = try await node.transfers(of: "alice", atLeast: 7)
            var sizes: [Int] = []
            var cursor: String?
            repeat {
                let query = "sort=-size&size_from=20&limit=2" + (cursor.map { "&cursor=\($0)" } ?? "")
                let page = try await node.admin("GET", "/api/v1/transfers?\(query)")
                #expect(page.status == 200)
                sizes += page.items().compactMap { $0["size"] as? Int }
                cursor = page.text("next")
            } while cursor != nil
            #expect(sizes == [70, 60, 50, 40, 30, 20])
            for sort in ["started", "-started", "ended", "-ended"] {
                var count = 0
                cursor = nil
                repeat {
                    let query = "sort=\(sort)&limit=3" + (cursor.map { "&cursor=\($0)" } ?? "")
                    let page = try await node.admin("GET", "/api/v1/transfers?\(query)")
                    count += page.items().count
                    cursor = page.text("next")
                } while cursor != nil
                #expect(count == 7, "\(sort)")
            }
            let one = try await node.admin("GET", "/api/v1/transfers?path=/f3")
            let id = try #require(one.items().first?["id"] as? String)
            #expect(try await node.admin("GET", "/api/v1/transfers/\(id)").text("path") == "/f3")
            #expect(
                try await node.admin("GET", "/api/v1/transfers/\(UUID().uuidString)").problem == "not-found")
            #expect(try await node.admin("GET", "/api/v1/transfers/x").problem == "not-found")
            #expect(try await node.admin("GET", "/api/v1/transfers?status=failed").items().isEmpty)
            #expect(
                try await node.admin("GET", "/api/v1/transfers?started_from=2999-01-01T00:00:00Z").items()
                    .isEmpty)
            let unknown = try await node.admin("GET", "/api/v1/transfers?acount=alice")
            #expect(unknown.status == 400 && unknown.text("parameter") == "acount")
            let bad = try await node.admin("GET", "/api/v1/transfers?status=done")
            #expect(bad.problem == "invalid-parameter" && bad.text("value") == "done")
        }
    }

    @Test func `the document is served to anybody, health too`() async throws {
        try await DoorNode.with { node in
            let document = try await node.admin("GET", "/api/v1/openapi.json", ["authorization": "x"])
            #expect(document.status == 200 && document.text("openapi") == "3.1.0")
            #expect(try await node.admin("GET", "/health/ready", ["authorization": "x"]).status == 200)
            node.standing.set(.outside)
            let ready = try await node.admin("GET", "/health/ready", ["authorization": "x"])
            #expect(ready.status == 503)
            let cluster = try await node.admin("GET", "/api/v1/cluster")
            #expect(
                cluster.status == 503 && cluster.problem == "not-serving"
                    && cluster.headers["retry-after"] != nil)
        }
    }
}
