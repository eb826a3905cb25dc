import Foundation
import Glibc
import RedisDriver
import Testing

/// A redis-server of one test's own, which may be killed, paused and started again on the same port.
final class RedisProcess {
    let port: Int
    private let arguments: [String]
    private var process: Process?

    var url: RedisURL { RedisURL(endpoint: .tcp(host: "127.0.0.1", port: self.port)) }

    init(_ arguments: String...) throws {
        self.port = try freePort()
        self.arguments = arguments
        try self.start()
    }

    deinit { self.kill() }

    func start(with more: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/redis-server")
        process.arguments =
            ["--port", "\(self.port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            + self.arguments + more
        process.currentDirectoryURL = FileManager.default.temporaryDirectory
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    func kill() {
        self.signal(SIGKILL)
        self.process?.waitUntilExit()
        self.process = nil
    }

    func pause() { self.signal(SIGSTOP) }
    func resume() { self.signal(SIGCONT) }

    private func signal(_ number: CInt) {
        guard let process = self.process, process.isRunning else { return }
        _ = Glibc.kill(process.processIdentifier, number)
    }
}

struct SocketError: Error {
    let action: String
    let code = errno
}

/// A listening socket on a free port of the loopback.
func listenOnFreePort() throws -> (descriptor: CInt, port: Int) {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError(action: "socket") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            Glibc.bind(descriptor, generic, size) == 0 && getsockname(descriptor, generic, &size) == 0
        }
    }
    guard code, listen(descriptor, 16) == 0 else { throw SocketError(action: "bind") }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
}

func freePort() throws -> Int {
    let (descriptor, port) = try listenOnFreePort()
    close(descriptor)
    return port
}
