import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Uploads in the words of the IETF draft as clients see them.
@Suite struct DraftTests {
    private static let type = "application/partial-upload"

    private static func send(
        _ node: DoorNode, _ method: String, _ target: String, _ login: TestLogin?,
        _ headers: [String: String] = [:], _ text: String? = nil
    ) async throws -> TestAnswer {
        let draft = ["upload-draft-interop-version": "8"].merging(headers) { _, given in given }
        return try await node.files(method, target, login, draft, body: text.map { Array($0.utf8) })
    }

    private static func patch(
        _ node: DoorNode, _ upload: String, _ login: TestLogin, at offset: Int, _ text: String,
        isLast: Bool = false, _ headers: [String: String] = [:]
    ) async throws -> TestAnswer {
        let all = [
            "content-type": Self.type, "upload-offset": "\(offset)", "upload-complete": isLast ? "?1" : "?0",
        ].merging(headers) { $1 }
        return try await Self.send(node, "PATCH", upload, login, all, text)
    }

    /// An upload of no bytes yet; answers the address.
    private static func begin(
        _ node: DoorNode, _ login: TestLogin, _ target: String, _ headers: [String: String] = [:]
    ) async throws -> String {
        let all = ["upload-complete": "?0"].merging(headers) { $1 }
        let made = try await Self.send(node, "POST", target, login, all)
        #expect(made.status == 201 && made.headers["upload-complete"] == "?0", "\(made.text)")
        return try #require(made.headers["location"])
    }

    @Test(arguments: ["6", "8"])
    func `a whole body is an upload that could have been resumed, and is answered as PUT is`(version: String)
        async throws
    {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let head = [
                "PUT /files/a.txt HTTP/1.1", "Host: x", "Authorization: \(alice.authorization)",
                "Upload-Draft-Interop-Version: \(version)", "Upload-Complete: ?1", "Content-Length: 6",
                "Expect: 100-continue", "Connection: close",
            ].joined(separator: "\r\n")
            let answer = try await RawConnection.open(port: node.filesPort).converse(head + "\r\n\r\n") {
                said in
                #expect(said.hasPrefix("HTTP/1.1 104 Upload Resumption Supported\r\n"), "\(said)")
                return "abcdef"
            }
            let interim = answer.prefix { $0 != "{" }.lowercased()
            #expect(interim.contains("\r\nupload-draft-interop-version: \(version)\r\n"))
            #expect(interim.contains(version == "6" ? "upload-limit: expires=" : "upload-limit: max-age="))
            #expect(interim.contains("http/1.1 100 continue"))
            #expect(interim.contains("http/1.1 201 created") && interim.contains("upload-complete: ?1"))
            #expect(interim.contains("upload-offset: 6"))
            let location = try #require(
                interim.split(separator: "\r\n").first { $0.hasPrefix("location: ") }?.dropFirst(10))
            #expect(try await node.files("GET", "/files/a.txt", alice).text == "abcdef")
            let status = try await Self.send(
                node, "HEAD", String(location), alice, ["upload-draft-interop-version": version])
            #expect(status.status == 204 && status.headers["upload-complete"] == "?1")
            #expect(status.headers["upload-offset"] == "6" && status.headers["upload-length"] == "6")
            let log = try await node.transfers(of: "alice", atLeast: 2)
            #expect(log.contains { $0["protocol"] as? String == "draft" && $0["size"] as? Int == 6 })
        }
    }

    @Test func `a body that broke off is resumed where it stopped`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let head = [
                "PUT /files/a HTTP/1.1", "Host: x", "Authorization: \(alice.authorization)",
                "Upload-Draft-Interop-Version: 6", "Upload-Complete: ?1", "Content-Length: 6",
            ].joined(separator: "\r\n")
            let answer = try await RawConnection.open(port: node.filesPort).exchange(
                [head + "\r\n\r\n", "abcd"], finishing: true)
            let location = try #require(
                answer.split(separator: "\r\n").first { $0.lowercased().hasPrefix("location: ") }?.dropFirst(
                    10))
            let upload = String(location)
            #expect(answer.contains("HTTP/1.1 400"), "\(answer)")
            let status = try await Self.send(node, "HEAD", upload, alice)
            #expect(status.status == 204 && status.headers["upload-offset"] == "4")
            #expect(status.headers["upload-complete"] == "?0" && status.headers["upload-length"] == "6")
            #expect(status.headers["cache-control"] == "no-store")
            let wrong = try await Self.patch(node, upload, alice, at: 3, "xyz", isLast: true)
            #expect(wrong.status == 409 && wrong.headers["upload-offset"] == "4")
            #expect(
                wrong.text("type")
                    == "https://iana.org/assignments/http-problem-types#mismatching-upload-offset")
            #expect(wrong.member("expected-offset") as? Int == 4)
            #expect(wrong.member("provided-offset") as? Int == 3)
            let long = try await Self.patch(node, upload, alice, at: 4, "xyz", isLast: true)
            #expect(long.status == 400 && long.text("type")?.hasSuffix("#inconsistent-upload-length") == true)
            let last = try await Self.patch(node, upload, alice, at: 4, "ef", isLast: true)
            #expect(last.status == 201 && last.headers["upload-complete"] == "?1", "\(last.text)")
            #expect(last.text("path") == "/a" && last.headers["etag"] != nil)
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
            for (text, type) in [("", "completed-upload"), ("x", "inconsistent-upload-length")] {
                let more = try await Self.patch(node, upload, alice, at: 6, text, isLast: true)
                #expect(more.status == 400 && more.text("type")?.hasSuffix("#\(type)") == true, "\(text)")
            }
        }
    }

    @Test func `pieces come one after the other, and only the client says when it is all`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(
                node, alice, "/files/in/?parents=true",
                ["upload-length": "6", "content-disposition": "inline; filename=\"b c.txt\""])
            let first = try await Self.patch(node, upload, alice, at: 0, "abc")
            #expect(first.status == 204 && first.headers["upload-complete"] == "?0")
            #expect(first.headers["upload-offset"] == "3")
            #expect(
                try await Self.patch(node, upload, alice, at: 3, "def").headers["upload-complete"] == "?0")
            // It has its length, and is not complete.
            let status = try await Self.send(node, "HEAD", upload, alice)
            #expect(status.headers["upload-offset"] == "6" && status.headers["upload-complete"] == "?0")
            #expect(try await node.files("GET", "/files/in/b%20c.txt", alice).status == 404)
            let last = try await Self.patch(node, upload, alice, at: 6, "", isLast: true)
            #expect(last.status == 201 && last.headers["upload-complete"] == "?1", "\(last.text)")
            #expect(try await node.files("GET", "/files/in/b%20c.txt", alice).text == "abcdef")
            // Without a length.
            let open = try await Self.begin(node, alice, "/files/c")
            _ = try await Self.patch(node, open, alice, at: 0, "abc")
            #expect(try await Self.send(node, "HEAD", open, alice).headers["upload-length"] == nil)
            let end = try await Self.patch(node, open, alice, at: 3, "d", isLast: true)
            #expect(end.status == 201 && end.headers["upload-offset"] == "4")
        }
    }

    @Test func `more than was foretold ends the upload`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let upload = try await Self.begin(node, alice, "/files/a", ["upload-length": "3"])
            let more = try await Self.patch(node, upload, alice, at: 0, "abcdef")
            #expect(more.status == 400 && more.text("type")?.hasSuffix("#inconsistent-upload-length") == true)
            #expect(try await Self.send(node, "HEAD", upload, alice).status == 410)
            let other = try await Self.begin(node, alice, "/files/b", ["upload-length": "3"])
            let length = try await Self.patch(
                node, other, alice, at: 0, "a", isLast: false, ["upload-length": "4"])
            #expect(length.status == 400)
            #expect(try await Self.send(node, "DELETE", other, alice).status == 204)
            #expect(try await Self.send(node, "HEAD", other, alice).status == 410)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `digests are checked, of a body and of the whole`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let right = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"  // Of “abc”.
            let upload = try await Self.begin(node, alice, "/files/a", ["repr-digest": right])
            let wrong = try await Self.patch(
                node, upload, alice, at: 0, "xyz", isLast: false, ["content-digest": right])
            #expect(wrong.status == 400 && wrong.problem == "digest-mismatch")
            #expect(try await Self.send(node, "HEAD", upload, alice).headers["upload-offset"] == "0")
            let last = try await Self.patch(
                node, upload, alice, at: 0, "abc", isLast: true, ["content-digest": right])
            #expect(last.status == 201 && last.headers["repr-digest"] == right)
            let other = try await Self.send(
                node, "PUT", "/files/b", alice, ["upload-complete": "?1", "repr-digest": right], "xyz")
            #expect(other.status == 400 && other.problem == "digest-mismatch")
            #expect(try await node.files("GET", "/files/b", alice).status == 404)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }

    @Test func `an upload begun in one language goes on in the other`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let tus = ["tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"]
            let first = try await Self.begin(node, alice, "/files/a", ["upload-length": "6"])
            _ = try await Self.patch(node, first, alice, at: 0, "abc")
            let head = try await node.files("HEAD", first, alice, ["tus-resumable": "1.0.0"])
            #expect(head.headers["upload-offset"] == "3" && head.headers["upload-length"] == "6")
            let end = try await node.files(
                "PATCH", first, alice, tus.merging(["upload-offset": "3"]) { $1 }, body: Array("def".utf8))
            #expect(end.status == 204 && end.headers["etag"] != nil, "\(end.text)")
            #expect(try await node.files("GET", "/files/a", alice).text == "abcdef")
            let made = try await node.files(
                "POST", "/files/b", alice, ["tus-resumable": "1.0.0", "upload-length": "6"])
            let second = try #require(made.headers["location"])
            _ = try await node.files(
                "PATCH", second, alice, tus.merging(["upload-offset": "0"]) { $1 }, body: Array("abc".utf8))
            #expect(try await Self.send(node, "HEAD", second, alice).headers["upload-offset"] == "3")
            let last = try await Self.patch(node, second, alice, at: 3, "def", isLast: true)
            #expect(last.status == 201 && last.headers["upload-complete"] == "?1")
            #expect(try await node.files("GET", "/files/b", alice).text == "abcdef")
        }
    }

    @Test func `other versions get an ordinary upload, and no part is taken for the whole`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for headers in [["upload-draft-interop-version": "5"], [:]] {
                let plain = try await node.files(
                    "PUT", "/files/a", alice, headers.merging(["upload-complete": "?1"]) { $1 },
                    body: Array("abc".utf8))
                #expect(plain.status < 300 && plain.headers["upload-complete"] == nil)
                let part = try await node.files(
                    "PUT", "/files/b", alice, headers.merging(["upload-complete": "?0"]) { $1 },
                    body: Array("abc".utf8))
                #expect(part.status == 400 && part.problem == "unsupported-version")
            }
            #expect(try await node.files("GET", "/files/b", alice).status == 404)
            let bob = try await node.makeAccount("bob")
            let upload = try await Self.begin(node, alice, "/files/c")
            #expect(try await Self.patch(node, upload, bob, at: 0, "x").status == 404)
            #expect(
                try await Self.patch(node, upload, alice, at: 0, "x", ["content-type": "text/plain"]).status
                    == 415)
        }
    }
}
