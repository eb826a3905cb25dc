import ClusterModel
import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Logging
import NIOCore
import ServiceLifecycle
import Testing

/// Refused bodies, bounds of connections, and a node that is not ready.
@Suite struct ConnectionTests {
    @Test func `a refused upload of 100 MiB still sees its answer`() async throws {
        try await DoorNode.with { node in
            _ = try await node.makeAccount("alice")
            let source = node.mount.deletingLastPathComponent().appending(path: "source-\(UUID().uuidString)")
            defer { try? FileManager.default.removeItem(at: source) }
            _ = FileManager.default.createFile(atPath: source.path, contents: nil)
            let file = try FileHandle(forWritingTo: source)
            try file.truncate(atOffset: 100 << 20)
            try file.close()
            for _ in 0..<5 {
                let (code, output) = try await Curl.run([
                    "-H", "Expect:", "-u", "alice:wrong", "-T", source.path, "-w", "\n%{http_code}",
                    "http://127.0.0.1:\(node.filesPort)/files/x",
                ])
                #expect(code == 0 && output.hasSuffix("401"), "curl \(code): \(output)")
            }
        }
    }

    @Test func `a client that sends its whole body first gets the answer too`() async throws {
        try await DoorNode.with { node in
            let body = String(repeating: "x", count: 8 << 20)
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n", body,
            ])
            #expect(answer.hasPrefix("HTTP/1.1 401"))
            #expect(answer.lowercased().contains("connection: close"))
        }
    }

    @Test func `draining a refused body has a bound`() async throws {
        var limits = ConnectionLimits()
        limits.drainBytes = 1 << 20
        try await DoorNode.with(limits) { node in
            let body = String(repeating: "x", count: 64 << 20)
            let start = ContinuousClock.now
            // Whether the client sees the answer or a reset depends on what was on its way.
            let answer = try? await RawConnection.open(port: node.filesPort).exchange([
                "PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n", body,
            ])
            #expect(answer.map { $0.isEmpty || $0.contains("401") || $0.hasPrefix("<") } ?? true)
            // Without the bound the server would wait for the rest until its time is over.
            #expect(ContinuousClock.now - start < .seconds(8))
        }
    }

    @Test func `a refused client that expects a go-ahead never gets one`() async throws {
        try await DoorNode.with { node in
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            ])
            #expect(answer.hasPrefix("HTTP/1.1 401"))
        }
    }

    @Test func `one connection too many gets 503`() async throws {
        var limits = ConnectionLimits()
        limits.connections = 0
        try await DoorNode.with(limits) { node in
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
            ])
            #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("too-busy"))
            #expect(answer.lowercased().contains("retry-after: 1"))
        }
    }

    @Test func `a node that is not serving says so and when to come back`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("GET", "/health/ready", nil).status == 200)
            node.standing.set(.stale(node.right))
            for method in ["GET", "PUT"] {
                let answer = try await node.files(
                    method, "/files/x", alice, body: method == "PUT" ? [1] : nil)
                #expect(answer.status == 503 && answer.problem == "not-serving", "\(answer.text)")
                #expect(answer.headers["retry-after"] != nil)
            }
            let ready = try await node.files("GET", "/health/ready", nil)
            #expect(ready.status == 503 && ready.text("status") == "unavailable")
            #expect(try await node.files("GET", "/health/live", nil).status == 200)
            #expect(try await node.files("GET", "/health/startup", nil).status == 200)
            #expect(try await node.files("POST", "/health/live", nil, body: [1]).status == 405)
            #expect(try await node.files("GET", "/health/other", nil).problem == "no-route")
            try await node.beat()
            #expect(try await node.files("PUT", "/files/x", alice, body: [1]).status == 201)
        }
    }

    @Test func `a port that is taken is named`() async throws {
        try await DoorNode.with { node in
            let second = DoorServer(
                responder: Door(NothingBehind(), standing: node.standing, gauge: RequestGauge(capacity: 1)),
                address: DoorAddress(host: "127.0.0.1", port: node.filesPort), limits: ConnectionLimits(),
                services: [],
                logger: Logger(label: "test"), onBound: { _ in })
            await #expect {
                try await second.run()
            } throws: { error in
                "\(error)".contains("cannot listen on 127.0.0.1:\(node.filesPort)")
            }
        }
    }

    @Test func `a head that comes byte by byte is cut off although the client is never silent`() async throws
    {
        var limits = ConnectionLimits()
        limits.head = .milliseconds(300)
        try await DoorNode.with(limits) { node in
            let drips = ["GET /health/live HTTP/1.1\r\n"] + [String](repeating: "x", count: 10_000)
            let start = ContinuousClock.now
            let answer = try? await RawConnection.open(port: node.filesPort).exchange(drips)
            #expect(answer.map { !$0.hasPrefix("HTTP/1.1 200") } ?? true)
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test func `close among other connection options is heard`() async throws {
        try await DoorNode.with { node in
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Close\r\n\r\n"
            ])
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.lowercased().contains("connection: close"))
        }
    }

    @Test func `the server as a whole tells its options`() async throws {
        try await DoorNode.with { node in
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            ])
            #expect(answer.hasPrefix("HTTP/1.1 204") && answer.contains("MKCOL"), "\(answer)")
        }
    }

    @Test func `two requests on one connection`() async throws {
        try await DoorNode.with { node in
            let request = "GET /health/live HTTP/1.1\r\nHost: x\r\n"
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                request + "\r\n" + request + "Connection: close\r\n\r\n"
            ])
            #expect(answer.components(separatedBy: "HTTP/1.1 200").count == 3)
        }
    }
}
