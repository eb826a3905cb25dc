import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Bytes going in and coming out.
@Suite struct TransferTests {
    static let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    @Test func `what is put comes back, on the mount and over HTTP`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let put = try await node.files("PUT", "/files/a%20b.bin", alice, body: Self.bytes)
            #expect(put.status == 201)
            #expect(put.text("path") == "/a b.bin")
            #expect(put.member("size") as? Int == Self.bytes.count)
            #expect(put.headers["flotilla-node"] == "worker-1")
            #expect(put.headers["x-request-id"]?.isEmpty == false)
            let etag = try #require(put.headers["etag"])
            #expect(put.text("etag") == etag)
            #expect(
                FileManager.default.contents(atPath: node.onMount("alice", "a b.bin")) == Data(Self.bytes))
            let got = try await node.files("GET", "/files/a%20b.bin", alice)
            #expect(got.status == 200 && got.body == Self.bytes)
            #expect(got.headers["etag"] == etag)
            #expect(
                got.headers["content-disposition"]
                    == "attachment; filename=\"a b.bin\"; filename*=UTF-8''a%20b.bin")
            let head = try await node.files("HEAD", "/files/a%20b.bin", alice)
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers["content-length"] == "\(Self.bytes.count)")
            #expect(head.headers["etag"] == etag)
            let again = try await node.files("PUT", "/files/a%20b.bin", alice, body: [1, 2, 3])
            #expect(again.status == 200)
            #expect(
                again.text("sha256") == "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81")
            #expect(again.headers["repr-digest"] == "sha-256=:A5BYxvLAy0ksUzsKTRTvd8wPeKvMztUofYShogEc+4E=:")
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `every transfer is in the log, once`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let put = try await node.files("PUT", "/files/x", alice, body: Self.bytes)
            _ = try await node.files("GET", "/files/x", alice)
            _ = try await node.files("HEAD", "/files/x", alice)
            let etag = try #require(put.headers["etag"])
            #expect(try await node.files("GET", "/files/x", alice, ["if-none-match": etag]).status == 304)
            #expect(try await node.files("GET", "/files/x", alice, ["range": "bytes=0-9"]).status == 206)
            let log = try await node.transfers(of: "alice", atLeast: 3)
            #expect(log.map { $0["kind"] as? String } == ["upload", "download", "download"])
            #expect(log.map { $0["size"] as? Int } == [Self.bytes.count, Self.bytes.count, 10])
            #expect(log[0]["id"] as? String == put.text("transfer_id"))
            #expect(log[0]["sha256"] as? String == put.text("sha256"))
            #expect(
                log.allSatisfy {
                    $0["status"] as? String == "completed" && $0["client"] as? String == "127.0.0.1"
                })
        }
    }

    @Test func `ranges and conditions of a read`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let put = try await node.files("PUT", "/files/x", alice, body: Array("0123456789".utf8))
            let etag = try #require(put.headers["etag"])
            func get(_ headers: [String: String]) async throws -> TestAnswer {
                try await node.files("GET", "/files/x", alice, headers)
            }
            let first = try await get(["range": "bytes=2-4"])
            #expect(first.status == 206 && first.text == "234")
            #expect(first.headers["content-range"] == "bytes 2-4/10")
            #expect(try await get(["range": "bytes=-3"]).text == "789")
            #expect(try await get(["range": "bytes=7-"]).text == "789")
            // Behind their heads, two parts are longer than ten bytes; who asks gets what was asked for.
            #expect(try await get(["range": "bytes=0-0,5-5"]).status == 206)
            #expect(try await get(["range": "bytes=0-8,1-9"]).text == "0123456789")
            #expect(try await get(["range": "bytes=2-4", "if-range": "\"other\""]).text == "0123456789")
            #expect(try await get(["range": "bytes=2-4", "if-range": etag]).text == "234")
            let behind = try await get(["range": "bytes=10-"])
            #expect(behind.status == 416 && behind.problem == "range-not-satisfiable")
            #expect(behind.headers["content-range"] == "bytes */10")
            let malformed = try await get(["range": "bytes=4-2"])
            #expect(malformed.status == 416 && malformed.problem == "invalid-range")
            #expect(try await get(["if-match": etag]).status == 200)
            let changed = try await get(["if-match": "\"other\""])
            #expect(changed.status == 412 && changed.problem == "changed" && changed.headers["etag"] == etag)
            #expect(try await get(["if-match": "other"]).problem == "invalid-header")
        }
    }

    @Test func `conditions of a write`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let created = try await node.files("PUT", "/files/x", alice, ["if-none-match": "*"], body: [1])
            #expect(created.status == 201)
            let etag = try #require(created.headers["etag"])
            let second = try await node.files("PUT", "/files/x", alice, ["if-none-match": "*"], body: [2])
            #expect(second.status == 412 && second.problem == "changed")
            let changed = try await node.files("PUT", "/files/x", alice, ["if-match": "\"other\""], body: [3])
            #expect(changed.status == 412 && changed.headers["etag"] == etag)
            #expect(try await node.files("GET", "/files/x", alice).body == [1])
            #expect(
                try await node.files("PUT", "/files/x", alice, ["if-match": etag], body: [4]).status == 200)
            let removed = try await node.files("DELETE", "/files/x", alice, ["if-match": etag])
            #expect(removed.status == 412 && removed.problem == "changed")
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `an announced digest is held against the body`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let right = "sha-256=:A5BYxvLAy0ksUzsKTRTvd8wPeKvMztUofYShogEc+4E=:"
            #expect(
                try await node.files("PUT", "/files/x", alice, ["content-digest": right], body: [1, 2, 3])
                    .status == 201)
            let wrong = try await node.files(
                "PUT", "/files/x", alice, ["repr-digest": right], body: [1, 2, 4])
            #expect(wrong.status == 400 && wrong.problem == "digest-mismatch")
            #expect(try await node.files("GET", "/files/x", alice).body == [1, 2, 3])
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `curl uploads with and without Expect, and in chunks`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let source = node.mount.deletingLastPathComponent().appending(path: "source-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: source) }
            let bytes = Data((0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            try bytes.write(to: source)
            for (name, headers) in [
                ("plain", ["Expect:"]), ("expecting", ["Expect: 100-continue"]),
                ("chunked", ["Transfer-Encoding: chunked"]),
            ] {
                let start = ContinuousClock.now
                let (code, output) = try await Curl.run(
                    headers.flatMap { ["-H", $0] } + [
                        "-u", "alice:\(alice.password)", "-T", source.path, "-w", "\n%{http_code}",
                        // Longer than the test may take: an unanswered Expect would show.
                        "--expect100-timeout", "30", "http://127.0.0.1:\(node.filesPort)/files/\(name)",
                    ])
                #expect(code == 0 && output.hasSuffix("201"), "\(name): \(output)")
                #expect(ContinuousClock.now - start < .seconds(20))
                #expect(FileManager.default.contents(atPath: node.onMount("alice", name)) == bytes)
            }
        }
    }
}
