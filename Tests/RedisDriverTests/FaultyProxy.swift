import Foundation
import Glibc
import RedisDriver
import Synchronization

/// Stands between a client and a server, and treats what passes as it is told to.
final class FaultyProxy: Sendable {
    enum Mode: Sendable {
        case pass
        /// Reads from the client and throws it away: a half-open connection, as after a firewall forgot it.
        case swallow
        /// Hands on each piece of the server's only after a time.
        case delay(milliseconds: Int)
    }

    let port: Int
    private let listener: CInt
    private let server: Int
    private let state = Mutex(State())

    private struct State {
        var mode = Mode.pass
        var sockets: Set<CInt> = []
    }

    var url: RedisURL { RedisURL(endpoint: .tcp(host: "127.0.0.1", port: self.port)) }

    init(to server: Int) throws {
        (self.listener, self.port) = try listenOnFreePort()
        self.server = server
        Thread.detachNewThread { self.acceptAll() }
    }

    func set(_ mode: Mode) { self.state.withLock { $0.mode = mode } }

    /// Ends all connections with a reset.
    func reset() {
        self.state.withLock { state in
            for socket in state.sockets {
                var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
                shutdown(socket, CInt(SHUT_RDWR))
            }
        }
    }

    func stop() {
        shutdown(self.listener, CInt(SHUT_RDWR))
        self.reset()
    }

    private func acceptAll() {
        while true {
            let client = accept(self.listener, nil, nil)
            guard client >= 0 else { break }
            guard let upstream = try? connectTo(self.server) else {
                close(client)
                continue
            }
            self.state.withLock { $0.sockets.formUnion([client, upstream]) }
            let ends = Mutex(2)
            // The last of the two directions closes both.
            let ended: @Sendable () -> Void = {
                shutdown(client, CInt(SHUT_RDWR))
                shutdown(upstream, CInt(SHUT_RDWR))
                let isLast = ends.withLock { count in
                    count -= 1
                    return count == 0
                }
                guard isLast else { return }
                self.state.withLock { state in
                    state.sockets.subtract([client, upstream])
                    close(client)
                    close(upstream)
                }
            }
            Thread.detachNewThread { self.pump(from: client, to: upstream, fromServer: false, ended) }
            Thread.detachNewThread { self.pump(from: upstream, to: client, fromServer: true, ended) }
        }
        close(self.listener)
    }

    private func pump(from source: CInt, to target: CInt, fromServer: Bool, _ ended: () -> Void) {
        defer { ended() }
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { return }
            switch self.state.withLock({ $0.mode }) {
            case .pass: break
            case .swallow: continue
            case .delay(let milliseconds): if fromServer { usleep(UInt32(milliseconds) * 1000) }
            }
            var sent = 0
            while sent < count {
                let more = send(target, Array(buffer[sent..<count]), count - sent, CInt(MSG_NOSIGNAL))
                guard more > 0 else { return }
                sent += more
            }
        }
    }
}

private func connectTo(_ port: Int) throws -> CInt {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    let code = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard code == 0 else {
        close(descriptor)
        throw SocketError(action: "connect")
    }
    return descriptor
}
