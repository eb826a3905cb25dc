import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A request as the receiver got it.
struct ReceivedRequest: Sendable {
    var line: String
    /// By lowercase name.
    var headers: [String: String]
    var body: [UInt8]
}

/// A real HTTP server that answers what a test says, byte for byte, and keeps what it got.
final class Receiver: Sendable {
    enum Reply: Sendable {
        /// Sent as it is; then the connection is closed.
        case text(String)
        /// Sent as it is; then nothing comes, and the connection stays open.
        case hanging(String)
    }

    let port: Int
    private let requests = Mutex<[ReceivedRequest]>([])

    var received: [ReceivedRequest] { self.requests.withLock { $0 } }

    private init(port: Int) { self.port = port }

    /// - Parameter replies: one for each request, in their order; the last one for all that follow.
    static func with(_ replies: [Reply], _ work: (Receiver) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let receiver = Receiver(port: server.channel.localAddress?.port ?? 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.executeThenClose { connections in
                    await withTaskGroup(of: Void.self) { each in
                        do {
                            for try await connection in connections {
                                each.addTask { try? await receiver.serve(connection, replies) }
                            }
                        } catch {
                            // The server was closed: the test is over.
                        }
                        each.cancelAll()
                    }
                }
            }
            try await work(receiver)
            group.cancelAll()
        }
    }

    private func serve(
        _ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ replies: [Reply]
    ) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var bytes: [UInt8] = []
            for try await piece in inbound {
                bytes.append(contentsOf: piece.readableBytesView)
                guard let request = Self.request(bytes) else { continue }
                let before = self.requests.withLock { requests in
                    requests.append(request)
                    return requests.count - 1
                }
                switch replies[min(before, replies.count - 1)] {
                case .text(let text):
                    try await outbound.write(ByteBuffer(string: text))
                    return
                case .hanging(let text):
                    try await outbound.write(ByteBuffer(string: text))
                    bytes = []
                }
            }
        }
    }

    /// Nil until it is whole.
    private static func request(_ bytes: [UInt8]) -> ReceivedRequest? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        let body = Array(bytes.dropFirst(text[..<end.upperBound].utf8.count))
        guard body.count >= Int(headers["content-length"] ?? "") ?? 0 else { return nil }
        return ReceivedRequest(line: String(lines.first ?? ""), headers: headers, body: body)
    }

    /// A whole answer.
    static func answer(_ status: String, _ headers: [String] = [], body: String = "") -> Reply {
        let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers
        return .text(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    }
}
