import ClusterModel
import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import HTTPDoor
import NIOCore
import Testing

/// What clients get wrong: each has its status and type, and loses nothing.
@Suite struct BadInputTests {
    @Test func `whoever is not let in always gets the same answer`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.makeAccount("carol")
            _ = try await node.desk.change(name: "carol", enabled: false, password: nil, ifRevision: nil)
            try await node.beat()
            var details: Set<String> = []
            let headers: [[String: String]] = [
                [:], ["authorization": TestLogin(name: "nobody", password: "x").authorization],
                ["authorization": TestLogin(name: "alice", password: "x").authorization],
                ["authorization": TestLogin(name: "carol", password: alice.password).authorization],
                ["authorization": TestLogin(name: "NO NAME", password: "x").authorization],
                ["authorization": "Bearer flk_nonsense"], ["authorization": "Bearer \(node.adminToken)"],
                ["authorization": "Basic !"],
            ]
            for headers in headers {
                let answer = try await node.files("GET", "/files/x", nil, headers)
                #expect(answer.status == 401 && answer.problem == "unauthorized", "\(headers)")
                #expect(answer.headers["www-authenticate"] == #"Basic realm="Flotilla", charset="UTF-8""#)
                details.insert(answer.text)
            }
            #expect(details.count == 1)
        }
    }

    @Test func `a key opens its account until it is revoked`() async throws {
        try await DoorNode.with { node in
            _ = try await node.makeAccount("alice")
            let (key, secret) = try await node.desk.createKey(
                account: "alice", label: "robot", expiresAt: nil)
            try await node.beat()
            let headers = ["authorization": "Bearer \(secret)"]
            #expect(try await node.files("PUT", "/files/x", nil, headers, body: [1]).status == 201)
            try await node.desk.revokeKey(account: "alice", id: key.id)
            try await node.beat()
            #expect(try await node.files("GET", "/files/x", nil, headers).status == 401)
        }
    }

    @Test func `malformed paths and unknown parameters are refused before anything happens`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let name = String(repeating: "n", count: 300)
            let expected: [(String, Int, String)] = [
                ("/files/a%00b", 400, "malformed-path"), ("/files/\(name)", 400, "malformed-path"),
                ("/files/a//b", 400, "malformed-path"), ("/files/x?overwrite=true", 400, "unknown-parameter"),
                ("/files/x?parents=perhaps", 400, "invalid-parameter"), ("/other", 404, "no-route"),
                ("/", 404, "no-route"),
            ]
            for (target, status, type) in expected {
                let answer = try await node.files("PUT", target, alice, body: [1])
                #expect(answer.status == status && answer.problem == type, "\(target): \(answer.text)")
            }
            let unknown = try await node.files("PUT", "/files/x?overwrite=true", alice, body: [1])
            #expect(unknown.text("parameter") == "overwrite")
            let method = try await node.files("POST", "/files/x", alice, body: [1])
            #expect(method.status == 405 && method.problem == "method-not-allowed")
            #expect(method.headers["allow"]?.contains("MKCOL") == true)
            let options = try await node.files("OPTIONS", "/files/x", nil)
            #expect(options.status == 204 && options.headers["allow"]?.contains("MKCOL") == true)
            for (headers, status, type) in [
                (["content-encoding": "gzip"], 415, "unsupported-media-type"),
                (["expect": "something"], 417, "expectation-failed"),
                (["content-range": "bytes 0-0/1"], 400, "invalid-header"),
            ] {
                let answer = try await node.files("PUT", "/files/x", alice, headers, body: [1])
                #expect(answer.status == status && answer.problem == type, "\(headers): \(answer.text)")
            }
            #expect(FileManager.default.subpaths(atPath: node.onMount("alice", ""))?.isEmpty == true)
        }
    }

    private func head(_ node: DoorNode, _ login: TestLogin, _ target: String, _ lines: String...) -> String {
        (["PUT \(target) HTTP/1.1", "Host: x", "Authorization: \(login.authorization)"] + lines).joined(
            separator: "\r\n")
            + "\r\n\r\n"
    }

    @Test func `an upload without a length is refused`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                self.head(node, alice, "/files/x", "Connection: close")
            ])
            #expect(answer.hasPrefix("HTTP/1.1 411") && answer.contains("length-required"))
        }
    }

    @Test func `a body shorter than its length is told so and leaves nothing`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("PUT", "/files/x", alice, body: [1])
            let answer = try await RawConnection.open(port: node.filesPort).exchange(
                [self.head(node, alice, "/files/x", "Content-Length: 10"), "12345"], finishing: true)
            #expect(answer.hasPrefix("HTTP/1.1 400") && answer.contains("body-too-short"), "\(answer)")
            #expect(try await node.files("GET", "/files/x", alice).body == [1])
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `a body in chunks that is cut off leaves nothing`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let answer = try await RawConnection.open(port: node.filesPort).exchange(
                [self.head(node, alice, "/files/x", "Transfer-Encoding: chunked"), "5\r\n12345\r\n"],
                finishing: true)
            #expect(answer.hasPrefix("HTTP/1.1 400") && answer.contains("body-broken"), "\(answer)")
            #expect(try await node.files("GET", "/files/x", alice).status == 404)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `a client that goes away leaves nothing but a line in the log`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
                let body = framing.hasPrefix("T") ? "5\r\n12345\r\n" : "12345"
                try await RawConnection.open(port: node.filesPort)
                    .abandon(after: self.head(node, alice, "/files/x", framing) + body)
            }
            let log = try await node.transfers(of: "alice", atLeast: 2)
            #expect(log.allSatisfy { $0["status"] as? String == "failed" })
            #expect(try await node.files("GET", "/files/x", alice).status == 404)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `an account that is shut out while it uploads gets nothing acknowledged`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let (key, secret) = try await node.desk.createKey(
                account: "alice", label: "robot", expiresAt: nil)
            try await node.beat()
            let logins = [alice.authorization, "Bearer \(secret)"]
            for (number, authorization) in logins.enumerated() {
                let head =
                    "PUT /files/x\(number) HTTP/1.1\r\nHost: x\r\nAuthorization: \(authorization)\r\n"
                    + "Content-Length: 10\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
                let answer = try await RawConnection.open(port: node.filesPort).converse(head) { said in
                    #expect(said.contains("100 Continue"))
                    if number == 0 {
                        _ = try await node.desk.change(
                            name: "alice", enabled: nil, password: "another secret", ifRevision: nil)
                    } else {
                        try await node.desk.revokeKey(account: "alice", id: key.id)
                    }
                    try await node.beat()
                    return "1234567890"
                }
                #expect(answer.contains("HTTP/1.1 401") && answer.contains("unauthorized"), "\(answer)")
            }
            #expect(FileManager.default.subpaths(atPath: node.onMount("alice", ""))?.isEmpty == true)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `a client that falls silent is cut off`() async throws {
        var limits = ConnectionLimits()
        limits.idle = .milliseconds(300)
        try await DoorNode.with(limits) { node in
            let alice = try await node.makeAccount("alice")
            _ = try await RawConnection.open(port: node.filesPort).exchange([
                self.head(node, alice, "/files/x", "Content-Length: 10"), "12345",
            ])
            let log = try await node.transfers(of: "alice", atLeast: 1)
            #expect(log.first?["status"] as? String == "failed")
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `a download that nobody takes ends in the log`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bytes = [UInt8](repeating: 7, count: 64 << 20)
            #expect(try await node.files("PUT", "/files/big", alice, body: bytes).status == 201)
            _ = try await RawConnection.open(port: node.filesPort).exchange(
                ["GET /files/big HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n\r\n"],
                until: { !$0.isEmpty })
            let log = try await node.transfers(of: "alice", atLeast: 2)
            #expect(log[1]["kind"] as? String == "download" && log[1]["status"] as? String == "failed")
            #expect(try #require(log[1]["size"] as? Int) < bytes.count)
        }
    }
}
