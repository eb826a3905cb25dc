import AdminHTTP
import ClusterModel
import ClusterPorts
import ClusterTestKit
import DoorTestKit
import Foundation
import PostgresStore
import Synchronization
import Testing

/// What administrators see of resumable uploads, and of what runs.
@Suite struct UploadServingTests {
    /// Begins an upload of six bytes and sends three of them; answers its id.
    private static func begin(_ node: DoorNode, _ login: TestLogin, _ path: String) async throws -> String {
        let tus = ["tus-resumable": "1.0.0"]
        let made = try await node.files(
            "POST", "/files/\(path)", login, tus.merging(["upload-length": "6"]) { $1 })
        let upload = try #require(made.headers["location"])
        let piece = ["upload-offset": "0", "content-type": "application/offset+octet-stream"]
        let sent = try await node.files(
            "PATCH", upload, login, tus.merging(piece) { $1 }, body: Array("abc".utf8))
        #expect(sent.status == 204)
        return String(upload.dropFirst("/uploads/".count))
    }

    @Test func `uploads are listed by account, node and state, and shown with their segments`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bob = try await node.makeAccount("bob")
            let first = try await Self.begin(node, alice, "a")
            let second = try await Self.begin(node, bob, "b")
            let all = try await node.admin("GET", "/api/v1/uploads")
            #expect(all.items().map { $0["id"] as? String } == [second, first])
            let one = try #require(all.items().last)
            #expect(one["account"] as? String == "alice" && one["path"] as? String == "/a")
            #expect(one["durable"] as? Int == 3 && one["length"] as? Int == 6)
            #expect(one["state"] as? String == "open" && one["node"] as? String == "worker-1")
            #expect(one["epoch"] != nil && one["expires_at"] != nil && one["rate"] as? Double != nil)
            for (query, expected) in [
                ("account=bob", [second]), ("node=worker-1", [second, first]), ("node=worker-9", []),
                ("state=open&account=alice", [first]), ("state=finished", []),
            ] {
                let found = try await node.admin("GET", "/api/v1/uploads?\(query)")
                #expect(found.items().map { $0["id"] as? String } == expected, "\(query)")
            }
            let page = try await node.admin("GET", "/api/v1/uploads?limit=1")
            let next = try #require(page.text("next"))
            let rest = try await node.admin("GET", "/api/v1/uploads?limit=1&cursor=\(next)")
            #expect(rest.items().map { $0["id"] as? String } == [first] && rest.text("next") == nil)
            let other = try await node.admin("GET", "/api/v1/uploads?state=open&cursor=\(next)")
            #expect(other.problem == "invalid-parameter")
            let shown = try await node.admin("GET", "/api/v1/uploads/\(first)")
            let segments = shown.member("segments") as? [[String: Any]] ?? []
            #expect(segments.count == 1 && segments[0]["durable"] as? Int == 3)
            #expect(segments[0]["node"] as? String == "worker-1" && segments[0]["begin"] as? Int == 0)
            for text in ["x", UUID().uuidString] {
                #expect(try await node.admin("GET", "/api/v1/uploads/\(text)").status == 404)
            }
        }
    }

    @Test func `an operator ends an upload, once`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let id = try await Self.begin(node, alice, "a")
            let ended = try await node.admin("DELETE", "/api/v1/uploads/\(id)")
            let upload = ended.member("upload") as? [String: Any]
            #expect(ended.status == 200 && upload?["state"] as? String == "aborted")
            #expect(upload?["reason"] as? String == "ended by first administrator")
            try await eventually("its bytes are gone") { node.staged().isEmpty }
            let head = try await node.files("HEAD", "/uploads/\(id)", alice, ["tus-resumable": "1.0.0"])
            #expect(head.status == 410)
            #expect(try await node.admin("DELETE", "/api/v1/uploads/\(id)").status == 200)
            let made = try await node.files(
                "POST", "/files/empty", alice, ["tus-resumable": "1.0.0", "upload-length": "0"])
            let whole = try #require(made.headers["location"])
            let late = try await node.admin("DELETE", "/api/v1\(whole)")
            #expect(late.status == 409 && late.problem == "upload-ended")
        }
    }

    /// What still sends is a session, is in the transfer log while it lasts, and ends with its upload.
    @Test func `a resumable request is seen while it runs`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let made = try await node.files(
                "POST", "/files/a", alice, ["tus-resumable": "1.0.0", "upload-length": "6"])
            let upload = try #require(made.headers["location"])
            let head = [
                "PATCH \(upload) HTTP/1.1", "Host: x", "Authorization: \(alice.authorization)",
                "Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Length: 6", "Expect: 100-continue",
                "Content-Type: application/offset+octet-stream", "Connection: close",
            ].joined(separator: "\r\n")
            let answer = try await RawConnection.open(port: node.filesPort).converse(head + "\r\n\r\n") { _ in
                let here = try await node.admin("GET", "/api/v1/sessions")
                let session = try #require(here.items().first)
                #expect(here.items().count == 1 && here.member("total") as? Int == 1)
                #expect(session["account"] as? String == "alice" && session["path"] as? String == "/a")
                #expect(session["protocol"] as? String == "tus" && session["kind"] as? String == "upload")
                #expect("/uploads/\(session["upload_id"] as? String ?? "")" == upload)
                #expect(here.member("partial") as? Bool == false)
                #expect(try await node.admin("GET", "/api/v1/sessions?protocol=http").items().isEmpty)
                try await eventually("it is in the transfer log") {
                    let log = try await node.admin("GET", "/api/v1/transfers?status=running")
                    return log.items().map { $0["protocol"] as? String } == ["tus"]
                }
                #expect(try await node.admin("DELETE", "/api/v1\(upload)").status == 200)
                return "abcdef"
            }
            #expect(!answer.contains("HTTP/1.1 204"), "\(answer)")
            try await eventually("it is in no list any more") {
                let log = try await node.admin("GET", "/api/v1/transfers?status=running")
                let sessions = try await node.admin("GET", "/api/v1/sessions")
                return log.items().isEmpty && sessions.items().isEmpty
            }
        }
    }

    /// Answers for one node, and for none other.
    private struct Peers: SessionPeers {
        let heard: Heard

        func sessions(of member: Member, authorization: String) async -> NodeSessionsAnswer? {
            self.heard.add(authorization, for: member.incarnation)
            return member.name.description == "worker-2" ? NodeSessionsAnswer([]) : nil
        }
    }

    @Test func `the others are asked, and who does not answer is named`() async throws {
        let heard = Heard()
        try await DoorNode.with(bounds: TestBounds(peers: Peers(heard: heard))) { node in
            for _ in 0..<2 {
                let incarnation = try await node.store.nextIncarnation(above: nil)
                _ = try await node.store.join(JoinRequest.test(incarnation, named: nil))
            }
            try await node.beat()
            let all = try await node.admin("GET", "/api/v1/sessions")
            #expect(all.status == 200 && all.member("partial") as? Bool == true)
            #expect(all.member("missing_nodes") as? [String] == ["worker-3"])
            #expect(heard.count == 2)
            let named = try await node.admin("GET", "/api/v1/sessions?node=worker-2")
            #expect(named.member("partial") as? Bool == false)
        }
    }

    @Test func `nodes ask each other by a seal for this question and this node`() async throws {
        try await DoorNode.with { node in
            let seal = NodeSeal(clusterKey: try await node.store.facts().cacheKey)
            let asker = try #require(Incarnation(rawValue: node.right.incarnation.rawValue + 1))
            let own = node.right.incarnation
            func status(_ authorization: String, _ path: String = "/sessions/here") async throws -> Int {
                try await node.admin("GET", "/api/v1\(path)", ["authorization": authorization]).status
            }
            let right = seal.text(NodeSeal.sessionsHere, from: asker, to: own)
            #expect(try await status(right) == 200)
            #expect(try await status(right, "/sessions") == 401)
            #expect(try await status(right, "/accounts") == 401)
            #expect(try await status(seal.text(NodeSeal.sessionsHere, from: own, to: asker)) == 401)
            #expect(try await status(seal.text("GET /api/v1/accounts", from: asker, to: own)) == 401)
            let foreign = NodeSeal(clusterKey: [UInt8](repeating: 7, count: 32))
            #expect(try await status(foreign.text(NodeSeal.sessionsHere, from: asker, to: own)) == 401)
            #expect(try await node.admin("GET", "/api/v1/sessions/here").status == 200)
        }
    }
}

/// What was asked of others, with its seal.
private final class Heard: Sendable {
    private let seals = Mutex<[Incarnation: String]>([:])

    func add(_ seal: String, for incarnation: Incarnation) {
        self.seals.withLock { $0[incarnation] = seal }
    }

    var count: Int { Set(self.seals.withLock { Array($0.values) }).count }
}
