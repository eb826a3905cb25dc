import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Writes that ask for more than to be kept.
@Suite struct WriteTests {
    /// Of the bytes 1, 2, 3.
    private static let right = [
        "sha-256": "A5BYxvLAy0ksUzsKTRTvd8wPeKvMztUofYShogEc+4E=",
        "sha-512": "J4ZMxSGalRp6blK4yN3faYHQmNoWWNliWMhwssiN+8tRhBrqFyoouvpqeXMRZVhGdwZgRclZ7Q+ZKWiNBN78KQ==",
        "sha": "cDeAcZjCKn0rCAc3HXY3eahP388=", "md5": "Uonfc331cyb83SJZevsfrA==",
    ]

    @Test func `a digest of any algorithm is held against the body before anything is seen`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let fields = Self.right.flatMap { algorithm, value in
                [
                    ["content-digest": "\(algorithm)=:\(value):"],
                    ["repr-digest": "\(algorithm)=:\(value):"],
                    ["digest": "\(algorithm.uppercased())=\(value)"],
                ]
            }
            #expect(fields.count == 12)
            for (number, headers) in fields.enumerated() {
                let put = try await node.files("PUT", "/files/x\(number)", alice, headers, body: [1, 2, 3])
                #expect(put.status == 201, "\(headers): \(put.text)")
                let wrong = try await node.files("PUT", "/files/y", alice, headers, body: [1, 2, 4])
                #expect(wrong.status == 400 && wrong.problem == "digest-mismatch", "\(wrong.text)")
                #expect(try await node.files("GET", "/files/y", alice).status == 404)
                let over = try await node.files("PUT", "/files/x\(number)", alice, headers, body: [])
                #expect(over.problem == "digest-mismatch")
                #expect(try await node.files("GET", "/files/x\(number)", alice).body == [1, 2, 3])
            }
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `all digests of a request have to fit, whatever else is named`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let sha = try #require(Self.right["sha-256"])
            let md5 = try #require(Self.right["md5"])
            let good = ["content-digest": "crc32c=:AAAA:, sha-256=:\(sha):", "content-md5": md5]
            #expect(try await node.files("PUT", "/files/x", alice, good, body: [1, 2, 3]).status == 201)
            var bad = good
            bad["content-md5"] = Data(repeating: 0, count: 16).base64EncodedString()
            let refused = try await node.files("PUT", "/files/y", alice, bad, body: [1, 2, 3])
            #expect(refused.status == 400 && refused.text("algorithm") == "md5", "\(refused.text)")
            bad["content-md5"] = "nonsense"
            let malformed = try await node.files("PUT", "/files/y", alice, bad, body: [1, 2, 3])
            #expect(malformed.problem == "invalid-header" && malformed.text("header") == "content-md5")
            #expect(try await node.files("GET", "/files/y", alice).status == 404)
        }
    }

    @Test func `a reader that wants a digest gets it where the file is small`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let put = try await node.files("PUT", "/files/x", alice, body: [1, 2, 3])
            for method in ["GET", "HEAD"] {
                let got = try await node.files(
                    method, "/files/x", alice,
                    ["want-repr-digest": "sha-256=5", "want-digest": "SHA-256", "range": "bytes=0-0"])
                #expect(got.headers["repr-digest"] == put.headers["repr-digest"])
                #expect(got.headers["digest"] == "SHA-256=A5BYxvLAy0ksUzsKTRTvd8wPeKvMztUofYShogEc+4E=")
                #expect(got.body == (method == "GET" ? [1] : []))
            }
            #expect(try await node.files("GET", "/files/x", alice).headers["repr-digest"] == nil)
            // Another program's change shows at once.
            try Data([1, 2, 4]).write(to: URL(filePath: node.onMount("alice", "x")))
            let changed = try await node.files("HEAD", "/files/x", alice, ["want-repr-digest": "sha-256=5"])
            #expect(changed.headers["repr-digest"] != nil)
            #expect(changed.headers["repr-digest"] != put.headers["repr-digest"])
            let sparse = try FileHandle(forWritingTo: URL(filePath: node.onMount("alice", "x")))
            try sparse.truncate(atOffset: 17 << 20)
            try sparse.close()
            let large = try await node.files("HEAD", "/files/x", alice, ["want-repr-digest": "sha-256=5"])
            #expect(large.status == 200 && large.headers["repr-digest"] == nil)
        }
    }

    @Test func `a refusal before the body leaves the body with the client`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("PUT", "/files/x", alice, body: [1])
            let cases = [
                ("PUT /files/x", "If-None-Match: *", "412"), ("PUT /files/x", "If-Match: \"other\"", "412"),
                ("PUT /files/no/x", "X-Nothing: 1", "409"), ("PUT /files/x", "Content-MD5: x", "400"),
                ("PUT /files/a//b", "X-Nothing: 1", "400"), ("POST /files/?bulk=no", "X-Nothing: 1", "400"),
            ]
            for (line, header, status) in cases {
                let answer = try await RawConnection.open(port: node.filesPort).exchange([
                    "\(line) HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n\(header)\r\n"
                        + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
                ])
                #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(line): \(answer)")
                // The client does not send its body now, so what it sends next is nobody's body.
                #expect(answer.lowercased().contains("connection: close"), "\(line): \(answer)")
            }
            #expect(try await node.files("GET", "/files/x", alice).body == [1])
            let log = try await node.transfers(of: "alice", atLeast: 2)
            let uploads = log.filter { $0["kind"] as? String == "upload" }
            #expect(uploads.filter { $0["status"] as? String == "completed" }.count == 1)
        }
    }

    @Test func `a path that ends with a slash means a folder`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("PUT", "/files/x", alice, body: [1])
            _ = try await node.files("MKCOL", "/files/in/", alice)
            for (method, headers) in [
                ("DELETE", [:]), ("MOVE", ["destination": "/files/z"]), ("COPY", ["destination": "/files/z"]),
            ] as [(String, [String: String])] {
                let answer = try await node.files(method, "/files/x/", alice, headers)
                #expect(answer.status == 409 && answer.problem == "not-a-folder", "\(method): \(answer.text)")
            }
            #expect(try await node.files("GET", "/files/x", alice).body == [1])
            #expect(try await node.files("DELETE", "/files/in/", alice).status == 204)
        }
    }

    @Test func `a name of any language can be saved under it`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let put = try await node.files(
                "PUT", "/files/gr%C3%BC%C3%9Fe%20%22100%25%22.txt", alice, body: [65])
            #expect(put.status == 201)
            let got = try await node.files("GET", "/files/gr%C3%BC%C3%9Fe%20%22100%25%22.txt", alice)
            #expect(
                got.headers["content-disposition"]
                    == "attachment; filename=\"gr__e _100__.txt\"; "
                    + "filename*=UTF-8''gr%C3%BC%C3%9Fe%20%22100%25%22.txt")
            #expect(got.headers["content-type"]?.hasPrefix("text/plain") == true)
            #expect(got.headers["x-content-type-options"] == "nosniff")
        }
    }

    @Test func `a move and a removal ask for the tag`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let put = try await node.files("PUT", "/files/x", alice, body: [1])
            let tag = try #require(put.headers["etag"])
            let headers = ["destination": "/files/y", "if-match": "\"other\""]
            #expect(try await node.files("MOVE", "/files/x", alice, headers).status == 412)
            #expect(try await node.files("COPY", "/files/x", alice, headers).status == 412)
            let right = ["destination": "/files/y", "if-match": tag]
            #expect(try await node.files("COPY", "/files/x", alice, right).status == 201)
            #expect(try await node.files("DELETE", "/files/y", alice).status == 204)
            #expect(try await node.files("MOVE", "/files/x", alice, right).status == 201)
        }
    }
}
