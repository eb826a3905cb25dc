import ClusterTestKit
import DoorTestKit
import Foundation
import Testing

/// Downloads by their ways: at once from memory, in regions, and in pieces of several ranges.
@Suite struct ReadyTests {
    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: [0, 1, 65_536, 65_537, 300_000, 5 << 20])
    func `an answer is the same whichever way it goes`(size: Int) async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bytes = Self.content(size)
            #expect(try await node.files("PUT", "/files/x", alice, body: bytes).status == 201)
            // What says more than it needs to goes the long way.
            let long = try await node.files("GET", "/files/x", alice, ["x-anything": "y"])
            var fields: [[String: String]] = []
            for answer in [long, try await node.files("GET", "/files/x", alice)] {
                #expect(answer.status == 200 && answer.body == bytes)
                var shown = answer.headers
                for name in ["x-request-id", "date"] {
                    #expect(shown.removeValue(forKey: name)?.isEmpty == false, "\(name) is missing")
                }
                fields.append(shown)
            }
            #expect(fields[0] == fields[1])
            let log = try await node.transfers(of: "alice", atLeast: 3)
            #expect(
                log.dropFirst().allSatisfy {
                    $0["size"] as? Int == size && $0["status"] as? String == "completed"
                })
        }
    }

    @Test func `pipelined requests are answered in their order`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for number in 0..<4 {
                // Distinct letters, of lengths that go different ways.
                let body = [UInt8](repeating: UInt8(ascii: "a") + UInt8(number), count: 40_000 * (number + 1))
                #expect(try await node.files("PUT", "/files/\(number)", alice, body: body).status == 201)
            }
            let head = "Host: x\r\nAuthorization: \(alice.authorization)\r\n"
            var sent = ""
            for turn in 0..<24 {
                let range = turn % 3 == 0 ? "Range: bytes=0-1,4-5\r\n" : ""
                let last = turn == 23 ? "Connection: close\r\n" : ""
                sent += "GET /files/\(turn % 4) HTTP/1.1\r\n\(head)\(range)\(last)\r\n"
            }
            let answer = try await RawConnection.open(port: node.filesPort).exchange([sent])
            let answers = answer.components(separatedBy: "HTTP/1.1 20").dropFirst()
            #expect(answers.count == 24)
            for (turn, answer) in answers.enumerated() {
                let body = answer.components(separatedBy: "\r\n\r\n").dropFirst().joined()
                let letter = Character(String("abcd".dropFirst(turn % 4).prefix(1)))
                #expect(answer.hasPrefix(turn % 3 == 0 ? "6" : "0"), "\(turn)")
                if turn % 3 == 0 {
                    #expect(body.contains("\(letter)\(letter)\r\n--"), "\(turn): \(body.prefix(300))")
                } else {
                    #expect(
                        body.count == 40_000 * (turn % 4 + 1) && body.allSatisfy { $0 == letter }, "\(turn)")
                }
            }
        }
    }

    @Test func `several ranges come as parts, and clients can read them`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bytes = Self.content(2 << 20)
            #expect(try await node.files("PUT", "/files/x.txt", alice, body: bytes).status == 201)
            let answer = try await node.files(
                "GET", "/files/x.txt", alice, ["range": "bytes=0-9, 1000000-1000004,-3"])
            #expect(answer.status == 206)
            let type = try #require(answer.headers["content-type"])
            let boundary = try #require(type.split(separator: "boundary=").last)
            #expect(type.hasPrefix("multipart/byteranges; boundary="))
            #expect(answer.headers["content-length"] == "\(answer.body.count)")
            var expected: [UInt8] = []
            for range in [0..<10, 1_000_000..<1_000_005, (bytes.count - 3)..<bytes.count] {
                expected += Array((expected.isEmpty ? "" : "\r\n").utf8)
                expected += Array(
                    """
                    --\(boundary)\r
                    Content-Type: text/plain\r
                    Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(bytes.count)\r
                    \r

                    """.utf8)
                expected += bytes[range]
            }
            expected += Array("\r\n--\(boundary)--\r\n".utf8)
            #expect(answer.body == expected)
        }
    }

    @Test func `a file that is cut shorter while it is sent ends its connection`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let path = node.onMount("alice", "long")
            _ = FileManager.default.createFile(atPath: path, contents: Data(repeating: 7, count: 64 << 20))
            let started = ContinuousClock.now
            async let curl = Curl.run([
                "-u", "alice:\(alice.password)", "--limit-rate", "4M", "-o", "/dev/null", "-w",
                "%{size_download}",
                "http://127.0.0.1:\(node.filesPort)/files/long",
            ])
            try await eventually("the download is listed while it runs") {
                try await node.admin("GET", "/api/v1/transfers?account=alice").items()
                    .contains { $0["status"] as? String == "running" }
            }
            let file = try FileHandle(forUpdating: URL(filePath: path))
            try file.truncate(atOffset: 1 << 20)
            try file.close()
            let (code, output) = try await curl
            #expect(code == 18 || code == 56, "curl \(code): \(output)")
            // Without an end it would wait for curl's own, after a minute.
            #expect(ContinuousClock.now - started < .seconds(30))
        }
    }
}
