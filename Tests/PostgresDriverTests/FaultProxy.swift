import Foundation
import Glibc
import Synchronization

/// A socket that listens on loopback.
final class Listener: Sendable {
    let descriptor: CInt
    let port: UInt16

    init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 256) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard isListening else { throw NeverHappened(description: "no socket to listen on") }
        self.port = UInt16(bigEndian: address.sin_port)
    }

    /// Also ends the thread that accepts.
    func close() {
        shutdown(self.descriptor, CInt(SHUT_RDWR))
        Glibc.close(self.descriptor)
    }

    /// Calls `body` on a thread of its own for each connection.
    func serve(_ body: @escaping @Sendable (CInt) -> Void) {
        let descriptor = self.descriptor
        Thread {
            while true {
                let client = accept(descriptor, nil, nil)
                if client < 0 { return }
                Thread { body(client) }.start()
            }
        }.start()
    }
}

func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    return address
}

/// Stands between a client and a server on loopback and does what networks do.
final class FaultProxy: Sendable {
    enum Mode: Equatable {
        case pass
        /// Takes everything and hands on nothing, in both directions; new connections are taken too.
        case swallow
        /// Each piece of an answer waits so long; milliseconds.
        case delay(Int32)
        /// So many bytes of answers are handed on, then both sides are reset.
        case cutAnswers(after: Int)
        /// New connections are closed at once.
        case refuse
    }

    private struct State {
        var mode = Mode.pass
        var pairs: [Int: (client: CInt, server: CInt)] = [:]
        var lastPair = 0
    }

    private let listener: Listener
    private let state = Mutex(State())
    private let target: UInt16
    var port: Int { Int(self.listener.port) }

    init(to port: Int) throws {
        self.listener = try Listener()
        self.target = UInt16(port)
        self.listener.serve { [weak self] client in self?.serve(client) }
    }

    var mode: Mode {
        get { self.state.withLock { $0.mode } }
        set { self.state.withLock { $0.mode = newValue } }
    }
    var connections: Int { self.state.withLock { $0.pairs.count } }
    /// Connections so far, those that have ended included.
    var connectionsEver: Int { self.state.withLock { $0.lastPair } }

    func close() {
        self.listener.close()
        self.resetAll()
    }

    /// Both sides of every connection see a reset (RST), as after a reboot of a router.
    func resetAll() {
        self.state.withLock { state in
            for pair in state.pairs.values {
                for side in [pair.client, pair.server] { Self.armReset(side) }
            }
        }
    }

    /// `close` sends a reset instead of an end when nothing may linger; the shutdown wakes the thread.
    private static func armReset(_ descriptor: CInt) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(descriptor, CInt(SHUT_RD))
    }

    private func serve(_ client: CInt) {
        guard self.mode != .refuse else { return void(Glibc.close(client)) }
        let server = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: self.target)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        let number = self.state.withLock { state in
            state.lastPair += 1
            state.pairs[state.lastPair] = (client, server)
            return state.lastPair
        }
        if isConnected { self.pump(client, server) }
        // Out of the list first, so that nobody touches descriptors that may be others' by then.
        self.state.withLock { state in
            state.pairs[number] = nil
            Glibc.close(client)
            Glibc.close(server)
        }
    }

    private func pump(_ client: CInt, _ server: CInt) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var entries = [
            pollfd(fd: client, events: Int16(POLLIN), revents: 0),
            pollfd(fd: server, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&entries, 2, -1) > 0 {
            for index in 0..<2 where entries[index].revents != 0 {
                var count = recv(entries[index].fd, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                let isAnswer = index == 1
                switch self.mode {
                case .swallow: continue
                case .pass, .refuse: break
                case .delay(let milliseconds): if isAnswer { poll(nil, 0, milliseconds) }
                case .cutAnswers(let left):
                    guard isAnswer else { break }
                    count = min(count, left)
                    self.mode = .cutAnswers(after: left - count)
                    _ = send(entries[1 - index].fd, buffer, count, Int32(MSG_NOSIGNAL))
                    if left - count == 0 { return }
                    continue
                }
                guard self.sendAll(entries[1 - index].fd, buffer, count) else { return }
            }
        }
    }

    private func sendAll(_ descriptor: CInt, _ buffer: [UInt8], _ count: Int) -> Bool {
        var sent = 0
        while sent < count {
            let written = buffer.withUnsafeBytes {
                send(descriptor, $0.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { return false }
            sent += written
        }
        return true
    }
}

private func void<Value>(_ value: Value) {}
