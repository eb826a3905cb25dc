import Foundation
import Glibc
import RedisDriver
import Synchronization

/// A server that greets like Redis and then answers whatever comes first with the next of its lies.
///
/// Each connection tells one lie; when there are no more, the last is repeated.
final class LyingServer: Sendable {
    enum Lie: Sendable {
        case say(String)
        /// Closes after saying it.
        case sayAndLeave(String)
        /// Any bytes; then it stays.
        case sayBytes([UInt8])
        /// Accepts and reads, and not even greets.
        case silence
        /// As a sentinel that watches a server on that port of the loopback.
        case namesMaster(port: Int)
    }

    let port: Int
    private let listener: CInt
    private let lies: Mutex<[Lie]>
    private let accepted = Mutex(0)

    var url: RedisURL { RedisURL(endpoint: .tcp(host: "127.0.0.1", port: self.port)) }

    var address: RedisSentinels.Address { .init(host: "127.0.0.1", port: self.port) }

    var connections: Int { self.accepted.withLock { $0 } }

    convenience init(_ lies: Lie...) throws { try self.init(lies) }

    init(_ lies: [Lie]) throws {
        (self.listener, self.port) = try listenOnFreePort()
        self.lies = Mutex(lies)
        Thread.detachNewThread { self.acceptAll() }
    }

    /// Ends the listening thread.
    func stop() { shutdown(self.listener, CInt(SHUT_RDWR)) }

    private func acceptAll() {
        while true {
            let descriptor = accept(self.listener, nil, nil)
            guard descriptor >= 0 else { break }
            self.accepted.withLock { $0 += 1 }
            let lie = self.lies.withLock { lies in lies.count > 1 ? lies.removeFirst() : lies[0] }
            Thread.detachNewThread { self.converse(descriptor, lie) }
        }
        close(self.listener)
    }

    private func converse(_ descriptor: CInt, _ lie: Lie) {
        defer { close(descriptor) }
        if case .silence = lie {
            while self.hear(descriptor) != nil {}
            return
        }
        var heard = ""
        while !heard.contains("PING\r\n") {
            guard let more = self.hear(descriptor) else { return }
            heard += more
        }
        self.say("+OK\r\n+PONG\r\n", to: descriptor)
        guard self.hear(descriptor) != nil else { return }
        switch lie {
        case .sayAndLeave(let text): self.say(text, to: descriptor)
        case .say(let text): self.stay(descriptor, saying: Array(text.utf8))
        case .sayBytes(let bytes): self.stay(descriptor, saying: bytes)
        case .namesMaster(let port):
            self.stay(
                descriptor,
                saying: Array("*2\r\n$9\r\n127.0.0.1\r\n$\("\(port)".utf8.count)\r\n\(port)\r\n".utf8))
        case .silence: break
        }
    }

    private func stay(_ descriptor: CInt, saying bytes: [UInt8]) {
        self.say(bytes, to: descriptor)
        while self.hear(descriptor) != nil {}
    }

    private func hear(_ descriptor: CInt) -> String? {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    private func say(_ text: String, to descriptor: CInt) {
        self.say(Array(text.utf8), to: descriptor)
    }

    private func say(_ bytes: [UInt8], to descriptor: CInt) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { rest in
                send(descriptor, rest.baseAddress, rest.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }
}
