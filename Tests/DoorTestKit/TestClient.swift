import AsyncHTTPClient
import ClusterTestKit
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// An answer as a client got it.
package struct TestAnswer: Sendable {
    package var status: Int
    package var headers: [String: String]
    package var body: [UInt8]

    package var text: String { String(decoding: self.body, as: UTF8.self) }

    /// The end of a problem document's type; nil when it is none.
    package var problem: String? {
        guard self.headers["content-type"] == "application/problem+json",
            let type = self.member("type") as? String, type.hasPrefix("urn:flotilla:problem:")
        else { return nil }
        return String(type.dropFirst("urn:flotilla:problem:".count))
    }

    package func member(_ name: String) -> Any? {
        (try? JSONSerialization.jsonObject(with: Data(self.body)) as? [String: Any])?[name]
    }

    package func text(_ name: String) -> String? { self.member(name) as? String }
    package func items() -> [[String: Any]] { self.member("items") as? [[String: Any]] ?? [] }
}

extension DoorNode {
    /// A request to the files' door.
    package func files(
        _ method: String, _ target: String, _ login: TestLogin?, _ headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) async throws -> TestAnswer {
        var headers = headers
        if let login { headers["authorization"] = headers["authorization"] ?? login.authorization }
        return try await TestClient.send(method, "http://127.0.0.1:\(self.filesPort)\(target)", headers, body)
    }

    /// A request to the admin door.
    package func admin(
        _ method: String, _ target: String, token: String? = nil, _ headers: [String: String] = [:],
        json: String? = nil
    ) async throws -> TestAnswer {
        var headers = headers
        headers["authorization"] = headers["authorization"] ?? "Bearer \(token ?? self.adminToken)"
        if json != nil { headers["content-type"] = headers["content-type"] ?? "application/json" }
        return try await TestClient.send(
            method, "http://127.0.0.1:\(self.adminPort)\(target)", headers, json.map { Array($0.utf8) })
    }

    /// Records of the transfer log, once there are as many as expected.
    package func transfers(of account: String, atLeast count: Int) async throws -> [[String: Any]] {
        var found: [[String: Any]] = []
        try await eventually("\(count) transfers of \(account)") {
            found = try await self.admin("GET", "/api/v1/transfers?account=\(account)&sort=started").items()
            return found.count >= count && found.allSatisfy { $0["status"] as? String != "running" }
        }
        return found
    }
}

enum TestClient {
    static func send(
        _ method: String, _ address: String, _ headers: [String: String], _ body: [UInt8]?
    ) async throws -> TestAnswer {
        var request = HTTPClientRequest(url: address)
        request.method = .RAW(value: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 1 << 30)
        var found: [String: String] = [:]
        for (name, value) in response.headers { found[name.lowercased()] = value }
        return TestAnswer(
            status: Int(response.status.code), headers: found, body: Array(bytes.readableBytesView))
    }
}

/// A connection without HTTP, for what no client library sends.
package struct RawConnection: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    package static func open(port: Int) async throws -> RawConnection {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return RawConnection(channel: channel)
    }

    /// Sends the texts one after the other, then perhaps says that there is no more, and reads until the
    /// server closes or `enough` is satisfied.
    package func exchange(
        _ texts: [String], finishing: Bool = false, until enough: @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        try await self.channel.executeThenClose { inbound, outbound in
            for text in texts { try await outbound.write(ByteBuffer(string: text)) }
            if finishing { outbound.finish() }
            var received = ""
            do {
                for try await bytes in inbound {
                    received += String(buffer: bytes)
                    if enough(received) { break }
                }
            } catch {
                received += "<\(error)>"
            }
            return received
        }
    }

    /// Sends a text, then what is said to the first that comes back, and reads until the server closes.
    package func converse(
        _ text: String, then reply: @Sendable (String) async throws -> String
    ) async throws -> String {
        try await self.channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var received = ""
            var hasReplied = false
            for try await bytes in inbound {
                received += String(buffer: bytes)
                guard !hasReplied else { continue }
                hasReplied = true
                try await outbound.write(ByteBuffer(string: try await reply(received)))
            }
            return received
        }
    }

    /// Sends the text and goes away without a word.
    package func abandon(after text: String) async throws {
        try await self.channel.executeThenClose { _, outbound in
            try await outbound.write(ByteBuffer(string: text))
        }
    }
}

/// Runs curl and answers what it wrote.
package enum Curl {
    package static func run(_ arguments: [String]) async throws -> (exitCode: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/curl")
        process.arguments = ["--silent", "--show-error", "--max-time", "60"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        return try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { process in
                let bytes = (try? output.fileHandleForReading.readToEnd()) ?? Data()
                continuation.resume(
                    returning: (process.terminationStatus, String(decoding: bytes, as: UTF8.self)))
            }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
    }
}
