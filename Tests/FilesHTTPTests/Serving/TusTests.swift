import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import HTTPDoor
import Testing

/// Uploads in tus 1.0 as clients see them.
@Suite struct TusTests {
    private static let type = "application/offset+octet-stream"

    private static func send(
        _ node: DoorNode, _ method: String, _ target: String, _ login: TestLogin?,
        _ headers: [String: String] = [:], _ text: String? = nil
    ) async throws -> TestAnswer {
        let tus = ["tus-resumable": "1.0.0"].merging(headers) { _, given in given }
        return try await node.files(method, target, login, tus, body: text.map { Array($0.utf8) })
    }

    /// Answers the address.
    private static func begin(
        _ node: DoorNode, _ login: TestLogin, _ target: String, _ headers: [String: String]
    ) async throws -> String {
        let made = try await Self.send(node, "POST", target, login, headers)
        #expect(made.status == 201 && made.headers["upload-offset"] == "0", "\(made.text)")
        return try #require(made.headers["location"])
    }

    private static func patch(
        _ node: DoorNode, _ upload: String, _ login: TestLogin, at offset: Int, _ text: String,
        _ headers: [String: String] = [:]
    ) async throws -> TestAnswer {
        let all = ["content-type": Self.type, "upload-offset": "\(offset)"].merging(headers) { $1 }
        return try await Self.send(node, "PATCH", upload, login, all, text)
    }

    private static func offset(
        _ node: DoorNode, _ upload: String, _ login: TestLogin
    ) async throws -> String? {
        let head = try await Self.send(node, "HEAD", upload, login)
        #expect(head.status == 200 && head.headers["cache-control"] == "no-store")
        #expect(head.headers["tus-resumable"] == "1.0.0" && head.body.isEmpty)
        return head.headers["upload-offset"]
    }

    @Test func `a file comes in pieces and is there with the last`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(
                node, alice, "/files/in/a.txt?parents=true",
                ["upload-length": "6", "upload-metadata": "filetype dGV4dA=="])
            #expect(upload.hasPrefix("/uploads/"))
            let first = try await Self.patch(node, upload, alice, at: 0, "abc")
            #expect(first.status == 204 && first.headers["upload-offset"] == "3")
            #expect(first.headers["upload-expires"]?.hasSuffix("GMT") == true)
            #expect(first.headers["tus-resumable"] == "1.0.0")
            #expect(try await node.files("GET", "/files/in/a.txt", alice).status == 404)
            let head = try await Self.send(node, "HEAD", upload, alice)
            #expect(head.headers["upload-length"] == "6" && head.headers["upload-offset"] == "3")
            #expect(head.headers["upload-metadata"] == "filetype dGV4dA==")
            let last = try await Self.patch(node, upload, alice, at: 3, "def")
            #expect(last.status == 204 && last.headers["upload-offset"] == "6")
            #expect(last.headers["upload-expires"] == nil)
            let got = try await node.files("GET", "/files/in/a.txt", alice)
            #expect(got.text == "abcdef" && got.headers["etag"] == last.headers["etag"])
            let log = try await node.transfers(of: "alice", atLeast: 2)
            let record = try #require(log.first { $0["kind"] as? String == "upload" })
            #expect(record["id"] as? String == last.headers["flotilla-transfer"])
            #expect(record["protocol"] as? String == "tus" && record["size"] as? Int == 6)
            #expect(try await Self.offset(node, upload, alice) == "6")
            // Whoever lost the answer sends it again, and is told that nothing is missing.
            #expect(try await Self.patch(node, upload, alice, at: 3, "def").status == 409)
            #expect(try await Self.patch(node, upload, alice, at: 6, "").status == 204)
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `a server says what it can`() async throws {
        try await DoorNode.with { node in
            for target in ["/files/", "/uploads/x"] {
                let answer = try await node.files("OPTIONS", target, nil)
                #expect(answer.status == 204 && answer.headers["tus-version"] == "1.0.0")
                let extensions = answer.headers["tus-extension"]?.split(separator: ",") ?? []
                #expect(extensions.contains("creation-with-upload") && extensions.contains("checksum"))
                #expect(extensions.contains("concatenation"))
                #expect(answer.headers["accept-patch"]?.contains("application/partial-upload") == true)
                #expect(answer.headers["tus-checksum-algorithm"]?.contains("sha1") == true)
            }
            let alice = try await node.makeAccount("alice")
            let old = try await Self.send(
                node, "POST", "/files/a", alice, ["tus-resumable": "0.2.2", "upload-length": "1"])
            #expect(old.status == 412 && old.problem == "unsupported-version")
            #expect(old.headers["tus-version"] == "1.0.0" && old.headers["tus-resumable"] == "1.0.0")
        }
    }

    @Test func `the first bytes may come with the creation, and the length with the last`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let whole = try await Self.send(
                node, "POST", "/files/", alice,
                [
                    "upload-length": "3", "content-type": Self.type,
                    "upload-metadata": "filename cmVwb3J0LnR4dA==",
                ], "abc")
            #expect(whole.status == 201 && whole.headers["upload-offset"] == "3")
            #expect(whole.headers["location"] != nil && whole.headers["etag"] != nil)
            #expect(try await node.files("GET", "/files/report.txt", alice).text == "abc")
            let later = try await Self.begin(node, alice, "/files/b", ["upload-defer-length": "1"])
            let unknown = try await Self.send(node, "HEAD", later, alice)
            #expect(unknown.headers["upload-defer-length"] == "1" && unknown.headers["upload-length"] == nil)
            _ = try await Self.patch(node, later, alice, at: 0, "abc")
            let said = try await Self.patch(node, later, alice, at: 3, "de", ["upload-length": "5"])
            #expect(said.status == 204 && said.headers["upload-offset"] == "5")
            #expect(try await node.files("GET", "/files/b", alice).text == "abcde")
            let empty = try await Self.send(node, "POST", "/files/empty", alice, ["upload-length": "0"])
            #expect(empty.status == 201)
            #expect(try await node.files("GET", "/files/empty", alice).status == 200)
        }
    }

    @Test func `what does not fit is refused, and nothing changes`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bob = try await node.makeAccount("bob")
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            _ = try await Self.patch(node, upload, alice, at: 0, "abc")
            let wrong = try await Self.patch(node, upload, alice, at: 2, "xxx")
            #expect(wrong.status == 409 && wrong.problem == "wrong-offset" && wrong.text("offset") == "3")
            #expect(wrong.headers["upload-offset"] == "3" && wrong.headers["tus-resumable"] == "1.0.0")
            let type = try await Self.patch(node, upload, alice, at: 3, "x", ["content-type": "text/plain"])
            #expect(type.status == 415)
            #expect(try await Self.patch(node, upload, bob, at: 3, "xxx").status == 404)
            #expect(try await Self.send(node, "DELETE", upload, bob).status == 404)
            #expect(try await Self.send(node, "HEAD", upload, nil).status == 401)
            let length = try await Self.patch(node, upload, alice, at: 3, "x", ["upload-length": "9"])
            #expect(length.status == 400 && length.text("header") == "upload-length")
            let long = try await Self.patch(node, upload, alice, at: 3, "defg")
            #expect(long.status == 413 && long.problem == "body-too-long")
            let offset = try #require(try await Self.offset(node, upload, alice).flatMap { Int($0) })
            let rest = String("abcdef".dropFirst(offset))
            #expect(try await Self.patch(node, upload, alice, at: offset, rest).status == 204)
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
            let missing = try await Self.send(
                node, "POST", "/files/no/where", alice, ["upload-length": "1"])
            #expect(missing.status == 409 && missing.problem == "parent-missing")
            let there = try await Self.send(
                node, "POST", "/files/a", alice, ["upload-length": "1", "if-none-match": "*"])
            #expect(there.status == 412)
        }
    }

    @Test func `a piece with a wrong checksum never was`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let sum = ["upload-checksum": "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="]
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            let wrong = try await Self.patch(node, upload, alice, at: 0, "xyz", sum)
            #expect(wrong.status == 460 && wrong.problem == "digest-mismatch")
            #expect(try await Self.offset(node, upload, alice) == "0")
            #expect(try await Self.patch(node, upload, alice, at: 0, "abc", sum).status == 204)
            let unknown = try await Self.patch(
                node, upload, alice, at: 3, "def", ["upload-checksum": "crc32 YQ=="])
            #expect(unknown.status == 400 && unknown.problem == "invalid-header")
            #expect(try await Self.patch(node, upload, alice, at: 3, "def").status == 204)
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
            var first = sum
            first["upload-length"] = "3"
            first["content-type"] = Self.type
            #expect(try await Self.send(node, "POST", "/files/b", alice, first, "xyz").status == 460)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `an upload that its client ends is gone with its bytes`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            _ = try await Self.patch(node, upload, alice, at: 0, "abc")
            #expect(node.staged().count == 1)
            let ended = try await Self.send(
                node, "POST", upload, alice, ["x-http-method-override": "DELETE"])
            #expect(ended.status == 204)
            try await eventually("staging is empty") { node.staged().isEmpty }
            let head = try await Self.send(node, "HEAD", upload, alice)
            #expect(head.status == 410 && head.headers["upload-offset"] == nil)
            let late = try await Self.patch(node, upload, alice, at: 3, "def")
            #expect(late.status == 410 && late.problem == "upload-ended")
            #expect(try await node.files("GET", "/files/a", alice).status == 404)
        }
    }

    @Test func `what came before the line broke counts`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            let head = [
                "PATCH \(upload) HTTP/1.1", "Host: x", "Authorization: \(alice.authorization)",
                "Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Type: \(Self.type)",
                "Content-Length: 6",
            ].joined(separator: "\r\n")
            let answer = try await RawConnection.open(port: node.filesPort).exchange(
                [head + "\r\n\r\n", "abcd"], finishing: true)
            #expect(answer.hasPrefix("HTTP/1.1 400") && answer.contains("body-too-short"), "\(answer)")
            #expect(try await Self.offset(node, upload, alice) == "4")
            #expect(try await Self.patch(node, upload, alice, at: 4, "ef").status == 204)
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
        }
    }

    @Test func `a newer request ends one that hangs`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            let head = [
                "PATCH \(upload) HTTP/1.1", "Host: x", "Authorization: \(alice.authorization)",
                "Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Type: \(Self.type)",
                "Content-Length: 6", "Expect: 100-continue",
            ].joined(separator: "\r\n")
            let answer = try await RawConnection.open(port: node.filesPort).converse(head + "\r\n\r\n") { _ in
                // The server has asked for the bytes and waits for them.
                let offset = try await Self.offset(node, upload, alice)
                #expect(offset == "0")
                #expect(try await Self.patch(node, upload, alice, at: 0, "abcdef").status == 204)
                return "xxxxxx"
            }
            #expect(answer.contains("HTTP/1.1 423"), "\(answer)")
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
        }
    }

    @Test func `partial uploads become one file`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            var parts: [String] = []
            for text in ["hello", ", fleet"] {
                let part = try await Self.begin(
                    node, alice, "/files/", ["upload-length": "\(text.count)", "upload-concat": "partial"])
                #expect(try await Self.patch(node, part, alice, at: 0, text).status == 204)
                let head = try await Self.send(node, "HEAD", part, alice)
                #expect(head.headers["upload-concat"] == "partial")
                #expect(head.headers["upload-offset"] == "\(text.count)")
                parts.append(part)
            }
            let concat = "final;http://files.example:8080\(parts[0]) \(parts[1])"
            let made = try await Self.send(node, "POST", "/files/a.txt", alice, ["upload-concat": concat])
            #expect(made.status == 201 && made.headers["upload-offset"] == "12", "\(made.text)")
            #expect(made.headers["etag"] != nil)
            #expect(try await node.files("GET", "/files/a.txt", alice).text == "hello, fleet")
            let final = try #require(made.headers["location"])
            let head = try await Self.send(node, "HEAD", final, alice)
            #expect(head.headers["upload-concat"] == "final;\(parts[0]) \(parts[1])")
            #expect(head.headers["upload-length"] == "12" && head.headers["upload-offset"] == "12")
            let more = try await Self.patch(node, final, alice, at: 12, "x")
            #expect(more.status == 403 && more.problem == "composed-upload")
            // The answer was lost, and it is asked for once more.
            let again = try await Self.send(node, "POST", "/files/a.txt", alice, ["upload-concat": concat])
            #expect(again.status == 201 && again.headers["location"] == final)
            let other = try await Self.send(node, "POST", "/files/b", alice, ["upload-concat": concat])
            #expect(other.status == 410 && other.text("upload") == parts[0])
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `parts that do not fit are named`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bob = try await node.makeAccount("bob")
            let part = try await Self.begin(
                node, alice, "/files/", ["upload-length": "6", "upload-concat": "partial"])
            _ = try await Self.patch(node, part, alice, at: 0, "abc")
            func final(_ login: TestLogin, _ headers: [String: String]) async throws -> TestAnswer {
                try await Self.send(node, "POST", "/files/a", login, headers)
            }
            let short = try await final(alice, ["upload-concat": "final;\(part)"])
            #expect(short.status == 409 && short.problem == "unfinished-part" && short.text("upload") == part)
            #expect(try await final(bob, ["upload-concat": "final;\(part)"]).status == 404)
            let length = try await final(alice, ["upload-concat": "final;\(part)", "upload-length": "6"])
            #expect(length.status == 400 && length.text("header") == "upload-length")
            for text in ["final", "final;", "final;/files/a", "whole", "final;\(part) \(part)"] {
                let answer = try await final(alice, ["upload-concat": text])
                #expect(answer.status == 400 && answer.text("header") == "upload-concat", "\(text)")
            }
            #expect(try await Self.patch(node, part, alice, at: 3, "def").status == 204)
            #expect(try await final(alice, ["upload-concat": "final;\(part)"]).status == 201)
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
        }
    }

    @Test func `whoever was shut out meanwhile is told so, and what came counts`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            let head = [
                "PATCH \(upload) HTTP/1.1", "Host: x", "Authorization: \(alice.authorization)",
                "Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Type: \(Self.type)",
                "Content-Length: 6", "Expect: 100-continue", "Connection: close",
            ].joined(separator: "\r\n")
            let answer = try await RawConnection.open(port: node.filesPort).converse(head + "\r\n\r\n") {
                said in
                #expect(said.hasPrefix("HTTP/1.1 100"))
                _ = try await node.desk.change(
                    name: "alice", enabled: false, password: nil, ifRevision: nil)
                try await node.beat()
                return "abcdef"
            }
            #expect(answer.contains("HTTP/1.1 401"), "\(answer)")
            #expect(try await Self.send(node, "HEAD", upload, alice).status == 401)
            #expect(!FileManager.default.fileExists(atPath: node.onMount("alice", "a")))
            _ = try await node.desk.change(
                name: "alice", enabled: true, password: nil, ifRevision: nil)
            try await node.beat()
            // All came before; nothing has to be sent again.
            #expect(try await Self.offset(node, upload, alice) == "6")
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
        }
    }
}
