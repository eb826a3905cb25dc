import Foundation
import Glibc
import PostgresDriver

/// Speaks just enough of the protocol to let a client in, then answers whatever `answer` makes up.
///
/// Only for what no real server says.
final class FakeServer: Sendable {
    private let listener: Listener

    /// - Parameters:
    ///   - greets: false answers the very first message with what `answer` makes up.
    ///   - answer: bytes for the first message that comes after the greeting; an empty answer closes.
    init(greets: Bool = true, _ answer: @escaping @Sendable () -> [UInt8]) throws {
        self.listener = try Listener()
        self.listener.serve { client in
            var buffer = [UInt8](repeating: 0, count: 65_536)
            if recv(client, &buffer, buffer.count, 0) > 0, greets {
                let greeting = Self.greeting
                send(client, greeting, greeting.count, Int32(MSG_NOSIGNAL))
                guard recv(client, &buffer, buffer.count, 0) > 0 else { return void(Glibc.close(client)) }
            }
            let bytes = answer()
            if !bytes.isEmpty {
                send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                // Until the client has had enough, or for a second.
                var entry = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
                while poll(&entry, 1, 1000) > 0, recv(client, &buffer, buffer.count, 0) > 0 {}
            }
            Glibc.close(client)
        }
    }

    func close() { self.listener.close() }

    var configuration: PostgresConfiguration {
        PostgresConfiguration(
            connectionString: """
                host=127.0.0.1 port=\(self.listener.port) user=nobody dbname=none sslmode=disable \
                gssencmode=disable
                """,
            connectDeadline: .milliseconds(300))
    }

    /// One message: its letter, its length, its content.
    static func message(_ letter: Character, _ content: [UInt8], length: UInt32? = nil) -> [UInt8] {
        let length = length ?? UInt32(content.count + 4)
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32($0))) }
        return [letter.asciiValue ?? 0] + bytes + content
    }

    /// Authentication is fine, here is the backend's key, ready.
    static var greeting: [UInt8] {
        Self.message("R", [0, 0, 0, 0]) + Self.message("K", [0, 0, 0, 1, 0, 0, 0, 2]) + Self.ready
    }

    static var ready: [UInt8] { Self.message("Z", Array("I".utf8)) }
}

private func void<Value>(_ value: Value) {}
