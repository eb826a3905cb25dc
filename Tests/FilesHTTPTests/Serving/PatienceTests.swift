import ClusterTestKit
import DoorTestKit
import Foundation
import Glibc
import HTTPDoor
import NIOCore
import Testing

/// Slow, silent, half-closed and old clients.
@Suite struct PatienceTests {
    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    private static func get(_ path: String, _ alice: TestLogin, _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n\(more)\r\n"
    }

    /// On the spot, in regions, and a listing, which is one long buffer; all more than the system keeps for a client.
    @Test(arguments: ["/files/x", "/files/long", "/files/many/?limit=10000"])
    func `a client that takes its time gets all, however short the limit of silence is`(
        path: String
    ) async throws {
        var limits = ConnectionLimits()
        limits.idle = .milliseconds(500)
        limits.head = .milliseconds(500)
        try await DoorNode.with(limits) { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("PUT", "/files/x", alice, body: Self.content(4 << 20)).status == 201)
            #expect(
                try await node.files("PUT", "/files/long", alice, body: Self.content(20 << 20)).status == 201)
            #expect(try await node.files("MKCOL", "/files/many", alice).status == 201)
            let folder = node.onMount("alice", "many")
            // Shown as six letters each.
            let name = String(repeating: "\u{1}", count: 240)
            for number in 0..<10_000 {
                close(open("\(folder)/\(name)\(number)", O_CREAT | O_WRONLY, 0o640))
            }
            let whole = try await node.files("GET", path, alice).body.count
            let socket = try SilentClient(port: node.filesPort)
            socket.send(Self.get(path, alice))
            let began = ContinuousClock.now
            try await eventually("every limit of silence is over") {
                ContinuousClock.now - began > .seconds(2)
            }
            socket.endSending()
            #expect(await socket.readBody() == whole)
        }
    }

    @Test func `a client that takes nothing at all is cut off`() async throws {
        var limits = ConnectionLimits()
        limits.stalled = .milliseconds(400)
        try await DoorNode.with(limits) { node in
            let alice = try await node.makeAccount("alice")
            // More than the system keeps for anybody.
            let path = node.onMount("alice", "x")
            _ = FileManager.default.createFile(atPath: path, contents: Data(count: 64 << 20))
            let started = ContinuousClock.now
            let socket = try SilentClient(port: node.filesPort)
            socket.send("GET /files/x HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n\r\n")
            let log = try await node.transfers(of: "alice", atLeast: 1)
            #expect(log.first?["status"] as? String == "failed", "\(log)")
            #expect(ContinuousClock.now - started < .seconds(20))
            withExtendedLifetime(socket) {}
        }
    }

    @Test func `silence between two requests and within a body ends the connection`() async throws {
        var limits = ConnectionLimits()
        limits.idle = .milliseconds(400)
        try await DoorNode.with(limits) { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("PUT", "/files/x", alice, body: [1]).status == 201)
            let head = "Host: x\r\nAuthorization: \(alice.authorization)\r\n"
            for text in [
                "GET /files/x HTTP/1.1\r\n\(head)\r\n", "GET /files/x HTTP/1.1\r\n\(head)A: b\r\n\r\n",
                "PUT /files/y HTTP/1.1\r\n\(head)Content-Length: 10\r\n\r\n12345",
            ] {
                let started = ContinuousClock.now
                let answer = try await RawConnection.open(port: node.filesPort).exchange([text])
                #expect(answer.hasPrefix("HTTP/1.1 200") || text.hasPrefix("PUT"), "\(answer)")
                #expect(ContinuousClock.now - started < .seconds(10))
            }
            #expect(try await node.files("GET", "/files/y", alice).status == 404)
        }
    }

    @Test func `a client that closes its half gets the whole answer`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("PUT", "/files/x", alice, body: Self.content(4 << 20)).status == 201)
            let head = "Host: x\r\nAuthorization: \(alice.authorization)\r\n"
            for more in ["", "A: b\r\n"] {
                for _ in 0..<5 {
                    let socket = try SilentClient(port: node.filesPort)
                    socket.send("GET /files/x HTTP/1.1\r\n\(head)\(more)\r\n")
                    socket.endSending()
                    // It begins to read when the server knows about the end.
                    try await eventually("something has come") { socket.hasBytes }
                    #expect(await socket.readBody() == 4 << 20)
                }
            }
        }
    }

    @Test(arguments: ["", "A: b\r\n"])
    func `a node that stops lets a slow client have what was answered`(more: String) async throws {
        let reading = Running()
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("PUT", "/files/x", alice, body: Self.content(4 << 20)).status == 201)
            let socket = try SilentClient(port: node.filesPort)
            socket.send(Self.get("/files/x", alice, more))
            try await eventually("something has come") { socket.hasBytes }
            let port = node.filesPort
            reading.begin {
                try await eventually("the node stops") { (try? SilentClient(port: port)) == nil }
                return await socket.readBody()
            }
        }
        #expect(try await reading.end() == 4 << 20)
    }

    @Test func `a client of the old version gets no chunks, and the end of the connection for the end`()
        async throws
    {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("MKCOL", "/files/in", alice).status == 201)
            #expect(try await node.files("PUT", "/files/in/x", alice, body: [65, 66, 67]).status == 201)
            let head = "Authorization: \(alice.authorization)\r\n"
            for target in ["/files/in/x", "/files/in?archive=zip", "/files/in/", "/health/live"] {
                let answer = try await RawConnection.open(port: node.filesPort).exchange([
                    "GET \(target) HTTP/1.0\r\n\(head)\r\n"
                ])
                let parts = answer.components(separatedBy: "\r\n\r\n")
                let fields = parts[0].lowercased()
                #expect(fields.hasPrefix("http/1.0 200") && fields.contains("connection: close"), "\(fields)")
                #expect(!fields.contains("transfer-encoding") && parts.count > 1 && !parts[1].isEmpty)
                if target.hasSuffix("x") { #expect(parts[1] == "ABC") }
                if target.hasSuffix("zip") { #expect(parts[1].hasPrefix("PK")) }
            }
            // It cannot know what an interim answer is.
            let put = try await RawConnection.open(port: node.filesPort).exchange([
                "PUT /files/y HTTP/1.0\r\n\(head)Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
            ])
            #expect(put.hasPrefix("HTTP/1.0 201"), "\(put)")
        }
    }

    /// What the parser does not read must not be read by the one who stands before it.
    @Test(arguments: [
        "GET /files/a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", "CONNECT x:1 HTTP/1.1\r\n",
        "FOO /files/a HTTP/1.1\r\nContent-Length: 1000\r\n", "GET /files/a HTTP/2.0\r\n",
    ])
    func `nothing is answered behind what ends the reading of requests`(line: String) async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let head = "Host: x\r\nAuthorization: \(alice.authorization)\r\n"
            for (name, byte) in [("a", UInt8(ascii: "A")), ("b", UInt8(ascii: "B"))] {
                let path = "/files/\(name)"
                #expect(
                    try await node.files("PUT", path, alice, body: .init(repeating: byte, count: 9)).status
                        == 201)
            }
            let hidden = Self.get("/files/b", alice)
            // Fills the first piece that is read, so that what follows comes on its own.
            let bare = "\(line)\(head)X: \r\n\r\n"
            let padding = String(repeating: "x", count: max(0, 2_048 - bare.utf8.count))
            let padded = "\(line)\(head)X: \(padding)\r\n\r\n"
            let put = "PUT /files/c HTTP/1.1\r\n\(head)Content-Length: \(hidden.utf8.count)\r\n\r\n"
            for first in ["", Self.get("/files/a", alice)] {
                for rest in [
                    [padded + hidden + hidden], [bare, put, hidden, hidden], [bare + put, hidden, hidden],
                ] {
                    let answer = try await RawConnection.open(port: node.filesPort).exchange([first] + rest)
                    #expect(!answer.contains("BBBBBBBBB"), "\(answer)")
                }
            }
            #expect(try await node.files("GET", "/files/c", alice).status == 404)
        }
    }

    @Test func `nothing is read behind a request that ends the connection, and it ends`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("MKCOL", "/files/d", alice).status == 201)
            for byte in [UInt8(ascii: "A"), UInt8(ascii: "B")] {
                let path = "/files/d/\(Character(UnicodeScalar(byte)))"
                #expect(
                    try await node.files("PUT", path, alice, body: .init(repeating: byte, count: 9)).status
                        == 201)
            }
            let head = "Host: x\r\nAuthorization: \(alice.authorization)\r\n"
            let (a, b) = ("GET /files/d/A HTTP/1", "GET /files/d/B HTTP/1.1\r\n\(head)\r\n")
            for last in [
                "\(a).1\r\n\(head)Upgrade: x\r\n\r\n", "\(a).0\r\n\(head)Connection: keep-alive\r\n\r\n",
            ] {
                let answer = try await RawConnection.open(port: node.filesPort).exchange([last + b])
                #expect(answer.hasSuffix("AAAAAAAAA") && !answer.contains("BBBBBBBBB"), "\(answer)")
            }
            // To the parser it is no request before more follows.
            let other = try await RawConnection.open(port: node.filesPort).exchange([
                "\(a).1\r\n\(head)\r\nPRI * HTTP/2.0\r\n\r\n", b,
            ])
            #expect(!other.contains("BBBBBBBBB"), "\(other)")
            // Each in its own version, whatever is read before it is answered.
            let both = try await RawConnection.open(port: node.filesPort).exchange([
                "GET /files/d?archive=zip HTTP/1.1\r\n\(head)\r\n\(a).0\r\n\(head)\r\n"
            ])
            #expect(both.hasPrefix("HTTP/1.1 200"), "\(both)")
            #expect(both.lowercased().contains("transfer-encoding: chunked"))
            #expect(both.contains("HTTP/1.0 200") && both.hasSuffix("AAAAAAAAA"), "\(both)")
        }
    }

    @Test(arguments: [1_000_000, 211, 37, 5])
    func `requests are answered alike however their bytes are cut`(size: Int) async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let head = "Host: x\r\nAuthorization: \(alice.authorization)\r\n"
            // Ends like a head, and like a body in chunks.
            let tricky = "GET /files/a HTTP/1.1\r\n\(head)\r\n0\r\n\r\n"
            var sent = ""
            for turn in 0..<4 {
                let put = "PUT /files/a HTTP/1.1\r\n\(head)"
                sent += "\(put)Content-Length: \(tricky.utf8.count)\r\n\r\n\(tricky)"
                sent += "GET /files/a HTTP/1.1\r\n\(head)\r\n"
                sent += "\(put)Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                sent += "GET /files/a HTTP/1.1\r\n\(head)\r\nGET /files/a HTTP/1.1\r\n\(head)"
                sent += turn == 3 ? "Connection: close\r\n\r\n" : "Range: bytes=1-\r\n\r\n"
            }
            let bytes = Array(sent.utf8)
            let pieces = stride(from: 0, to: bytes.count, by: size).map {
                String(decoding: bytes[$0..<min($0 + size, bytes.count)], as: UTF8.self)
            }
            let answer = try await RawConnection.open(port: node.filesPort).exchange(pieces)
            let bodies = answer.components(separatedBy: "HTTP/1.1 2").dropFirst().map {
                $0.components(separatedBy: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n")
            }
            #expect(bodies.count == 20, "\(answer.suffix(500))")
            for (number, body) in bodies.enumerated() {
                switch number % 5 {
                case 1: #expect(body == tricky, "\(number)")
                case 3: #expect(body == "abc", "\(number)")
                case 4: #expect(body == (number == 19 ? "abc" : "bc"), "\(number)")
                default: #expect(body.contains("sha256"), "\(number)")
                }
            }
        }
    }
}

/// Something that goes on while its test's node comes to its end.
private final class Running: @unchecked Sendable {
    private var task: Task<Int, any Error>?

    func begin(_ work: @escaping @Sendable () async throws -> Int) {
        self.task = Task { try await work() }
    }

    func end() async throws -> Int {
        guard let task = self.task else { throw TestFailure("nothing runs") }
        return try await task.value
    }
}

/// A client with little room, that reads only when it is told to.
private final class SilentClient: Sendable {
    private let socket: Int32

    init(port: Int) throws {
        self.socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var room: Int32 = 16 << 10
        setsockopt(self.socket, SOL_SOCKET, SO_RCVBUF, &room, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafeBytes(of: &address) { raw in
            raw.withMemoryRebound(to: sockaddr.self) {
                connect(self.socket, $0.baseAddress, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw TestFailure("connect: \(errno)") }
    }

    deinit { close(self.socket) }

    func send(_ text: String) { _ = Glibc.send(self.socket, text, text.utf8.count, 0) }
    func endSending() { shutdown(self.socket, Int32(SHUT_WR)) }

    var hasBytes: Bool {
        var byte: UInt8 = 0
        return recv(self.socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 1
    }

    /// Reads until the server closes, and answers how many bytes came behind the head.
    @concurrent func readBody() async -> Int {
        var all = Data()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(self.socket, &buffer, buffer.count), count > 0 {
            all.append(contentsOf: buffer[..<count])
        }
        return all.count - (all.range(of: Data("\r\n\r\n".utf8))?.upperBound ?? 0)
    }
}
