import Foundation
import Synchronization

/// A request of nobody's making.
struct HostileRequest {
    var pieces: [String]
    /// Says that nothing more comes; otherwise it waits until the server closes.
    var finishes: Bool

    private static let methods = [
        "GET", "HEAD", "PUT", "DELETE", "MKCOL", "MOVE", "COPY", "POST", "OPTIONS", "PATCH", "PROPFIND",
        "get",
    ]
    private static let components = [
        "..", ".", "%2e%2e", "%2E.", "..%2f..", "%2f", "%5c..%5c", "a%00b", "%00", "%c0%ae%c0%ae",
        "%e0%80%af", "%f0%80%80%af", "%c0%af", "%ff", "%", "%zz", "%2", "", "f", "d", "up", "bob", "out",
        "file", "self", "dangling", "own", "proc", "pipe", "secret", "%0d%0aX:%20y", "%7f", "~", "a;b", "a#b",
        "\u{00e9}", "e\u{0301}", "%E2%80%AE", "con", "*", "?", "a b",
    ]
    /// What may stand there, or lead somewhere.
    private static let plausible = [
        "f", "d", "new", "up", "bob", "out", "file", "self", "dangling", "own", "proc", "pipe", "secret", "g",
    ]
    private static let queries = [
        "", "", "", "", "", "", "", "", "", "", "", "", "?recursive=true", "?parents=true", "?archive=zip",
        "?", "?parents=true", "?recursive=true", "?archive=zip", "?bulk=delete", "?limit=5",
        "?limit=-1", "?limit=99999999999999999999", "?cursor=Li4", "?cursor=AAAA", "?x=%00", "?parents",
        "?parents=true&parents=true", "?%ff=1", "?archive=zip&limit=1", "?recursive=%74rue",
    ]
    private static let fields = [
        "Range: bytes=-9223372036854775808", "Range: bytes=9223372036854775807-", "Range: bytes=0-0,1-1,2-2",
        "Range: x", "If-Match: *", "If-Match: \"", "If-None-Match: *", "If-None-Match: W/\"x\", \"",
        "If-Range: Sun, 06 Nov 1994 08:49:37 GMT", "Content-Digest: sha-256=:x:", "Digest: sha=,",
        "Content-MD5: \u{00e4}", "Want-Repr-Digest: sha-256=10", "Overwrite: T", "Overwrite: x", "Depth: 0",
        "Destination: /files/..", "Destination: /files/out/x", "Destination: /files/dangling",
        "Destination: http://x/files/g", "Destination: http://[::1/files/g", "Destination: /files/bob/x",
        "Destination: /files/../bob/y", "Destination: //files/x", "Destination: /files/d/n?parents=true",
        "Destination: /files/new", "Expect: 100-continue", "Expect: 200-ok", "Accept: application/zip",
        "Content-Encoding: gzip", "Content-Range: bytes 0-1/2", "Tus-Resumable: 1.0.0", "Upload-Length: 5",
        "Upload-Length: -1", "Upload-Metadata: filename Li4vLi4veA==", "X-Http-Method-Override: DELETE",
        "Content-Type: application/json", "X-Forwarded-For: 1.2.3.4", "Connection: keep-alive, Upgrade",
        "Upgrade: h2c", "Host: y", "Content-Length: 5", "Transfer-Encoding: gzip", "Trailer: X",
    ]
    private static let bodies = [
        "", "hello", #"{"paths": ["../bob/secret", "out/file", "d", "up/bob", "file"], "recursive": true}"#,
        #"{"paths": [[[[]]]]}"#, "[", "5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nx", "\u{0}\u{1}\u{2}",
    ]

    init(_ random: inout Random, authorization: String) {
        var path = "/files"
        switch random.next() % 20 {
        case 0: path += "/" + String(repeating: "d/", count: 10_000)
        case 1: path += "/" + String(repeating: "n", count: 300)
        case 2: path += "/" + (0..<40).map { _ in String(repeating: "x", count: 200) }.joined(separator: "/")
        case 3:
            path = random.pick(["", "*", "/", "//files/f", "http://x/files/f", "/files%2ff", "/uploads/f"])
        case _:
            for _ in 0..<(random.next() % 4) {
                path += "/" + random.pick(random.next() % 5 == 0 ? Self.components : Self.plausible)
            }
        }
        let method = random.pick(Self.methods)
        let body = random.pick(Self.bodies)
        var lines = [
            "\(method) \(path)\(random.pick(Self.queries)) HTTP/1.\(random.next() % 10 == 0 ? 0 : 1)"
        ]
        lines.append("Host: x")
        if random.next() % 20 != 0 { lines.append("Authorization: \(authorization)") }
        if method == "MOVE" || method == "COPY" {
            lines.append("Destination: /files/" + random.pick(Self.plausible))
        }
        if random.next() % 2 == 0 { lines.append(random.pick(Self.fields)) }
        switch random.next() % 24 {
        case 0: lines.append("Transfer-Encoding: chunked")
        case 1: lines.append("Content-Length: \(body.utf8.count + 3)")
        case 2: lines.append("Content-Length: -1")
        case 3: break
        case _: lines.append("Content-Length: \(body.utf8.count)")
        }
        if random.next() % 60 == 0 { lines.append(random.pick(["no colon", ": x", "X\u{0}: y", " folded"])) }
        lines.append("Connection: close")
        let end = random.next() % 40 == 0 ? "\n\n" : "\r\n\r\n"
        self.pieces = [lines.joined(separator: "\r\n") + end, body].filter { !$0.isEmpty }
        self.finishes = true
    }
}

/// The same numbers from the same seed (SplitMix64).
struct Random {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var number = self.state
        number = (number ^ number >> 30) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ number >> 27) &* 0x94D0_49BB_1331_11EB
        return number ^ number >> 31
    }

    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int(self.next() % UInt64(values.count))]
    }
}

final class Flag: Sendable {
    private let raised = Atomic(false)

    var isRaised: Bool { self.raised.load(ordering: .acquiring) }
    func raise() { self.raised.store(true, ordering: .releasing) }
}

final class Names: Sendable {
    private let names = Mutex<Set<String>>([])

    var all: Set<String> { self.names.withLock { $0 } }
    func add(_ name: String) { self.names.withLock { _ = $0.insert(name) } }
}
