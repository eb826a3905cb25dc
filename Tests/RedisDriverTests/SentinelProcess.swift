import Foundation
import Glibc
import RedisDriver

/// A redis-server in its sentinel mode, which watches one master under the name `mymaster`.
final class SentinelProcess {
    let port: Int
    private let folder: URL
    private let process = Process()

    var address: RedisSentinels.Address { .init(host: "127.0.0.1", port: self.port) }

    /// - Parameter quorum: of how many sentinels must agree that the master is down.
    convenience init(watching master: RedisProcess, quorum: Int = 1, extra: String = "") throws {
        try self.init(watchingPort: master.port, quorum: quorum, extra: extra)
    }

    init(watchingPort master: Int, quorum: Int = 1, extra: String = "") throws {
        self.port = try freePort()
        self.folder = FileManager.default.temporaryDirectory.appending(
            path: "sentinel-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        let file = self.folder.appending(path: "sentinel.conf")
        // It writes what it learns into this file.
        try """
        port \(self.port)
        bind 127.0.0.1
        sentinel monitor mymaster 127.0.0.1 \(master) \(quorum)
        sentinel down-after-milliseconds mymaster 300
        sentinel failover-timeout mymaster 2000
        \(extra)

        """.write(to: file, atomically: true, encoding: .utf8)
        self.process.executableURL = URL(fileURLWithPath: "/usr/bin/redis-server")
        self.process.arguments = [file.path, "--sentinel"]
        self.process.currentDirectoryURL = self.folder
        self.process.standardOutput = FileHandle.nullDevice
        try self.process.run()
    }

    deinit {
        self.kill()
        try? FileManager.default.removeItem(at: self.folder)
    }

    func kill() {
        guard self.process.isRunning else { return }
        _ = Glibc.kill(self.process.processIdentifier, SIGKILL)
        self.process.waitUntilExit()
    }

    func pause() { _ = Glibc.kill(self.process.processIdentifier, SIGSTOP) }
}

/// The address of a Redis by its sentinels.
func sentinelURL(_ sentinels: [RedisSentinels.Address], password: String? = nil) -> RedisURL {
    RedisURL(
        endpoint: .master(of: RedisSentinels(addresses: sentinels, master: "mymaster", password: password)))
}

extension RedisProcess {
    var address: RedisSentinels.Address { .init(host: "127.0.0.1", port: self.port) }

    /// Asks it once, as an operator would.
    func cli(_ words: String...) throws -> String {
        try command("/usr/bin/redis-cli", ["-h", "127.0.0.1", "-p", "\(self.port)"] + words)
    }

    /// `master` or `slave`; nil while it does not answer.
    var role: String? {
        (try? self.cli("ROLE")).flatMap { $0.split(whereSeparator: \.isNewline).first.map(String.init) }
    }
}

/// What a program prints.
func command(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
}
