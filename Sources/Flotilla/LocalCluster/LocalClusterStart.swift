import EmbeddedPostgres
import Foundation
import Logging
import ServiceLifecycle
package import UnixSignals

/// Puts a local cluster together and runs it until it is stopped.
package struct LocalClusterStart {
    package let options: LocalClusterOptions

    package init(_ options: LocalClusterOptions) throws {
        guard (0...LocalClusterOptions.workersMax).contains(options.workers) else {
            throw LocalClusterError.tooMany(options.workers)
        }
        self.options = options
    }

    /// Returns when everything has been stopped by a signal, in order.
    package func run(stoppedBy signals: [UnixSignal] = [.sigint, .sigterm, .sighup]) async throws {
        let folder = LocalClusterFolder(root: self.options.folder)
        let display = standardDisplay(isQuiet: self.options.isQuiet)
        for path in [folder.root, folder.logs] { try PrivateFolder.makeParents(path, mode: 0o750) }
        let lock: FolderLock
        do { lock = try FolderLock(path: folder.lock) } catch let held as FolderLock.Held {
            throw LocalClusterError.alreadyRunning(folder: folder.root, pid: held.pid)
        }
        defer { lock.release() }
        unlink(folder.wanted)
        let log = BoundedLog(path: folder.logs + "/cluster.log", bytesMax: 8 << 20)
        log.trim()
        let logger = Logger(label: "flotilla.cluster", factory: { _ in FileLogHandler(log: log) })
        let postgres = try EmbeddedPostgres(
            configuration: .init(data: folder.root, user: self.options.databaseUser), logger: logger)
        let commands = LocalChildCommands(
            folder: folder, ports: try await self.ports(folder, display), executable: self.options.executable,
            databaseAddress: postgres.connectionString,
            redisServer: self.program("redis-server", wanted: self.options.useRedis, display),
            balancer: self.program("haproxy", wanted: self.options.useBalancer, display),
            environment: ProcessInfo.processInfo.environment)
        let cluster = LocalCluster(
            options: self.options, commands: commands, postgres: postgres, display: display, logger: logger)
        // Shutdown runs backwards: the workers leave while the database still answers.
        let services: [any Service] = [postgres, cluster]
        let group = ServiceGroup(
            configuration: .init(services: services, gracefulShutdownSignals: signals, logger: logger))
        try await group.run()
    }

    /// The ports of the last time if they are free, else the next free range, which is said and kept.
    private func ports(_ folder: LocalClusterFolder, _ display: any StatusDisplay) async throws -> LocalPorts
    {
        let kept = StateFile.read(LocalPorts.self, from: folder.ports)
        if let kept {
            // Children of a run that crashed a moment ago may still be on their way out.
            for _ in 0..<20 {
                if kept.all.allSatisfy(FreePort.isFree) { return kept }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        let first = kept?.base ?? self.options.port
        guard let ports = LocalPorts.choose(from: first, isFree: FreePort.isFree) else {
            throw LocalClusterError.noFreePorts(from: first)
        }
        if ports.base != first {
            display.say("Ports from \(first) on are taken; using \(ports.base) and up.")
        }
        try StateFile.write(ports, to: folder.ports)
        return ports
    }

    private func program(_ name: String, wanted: Bool, _ display: any StatusDisplay) -> String? {
        guard wanted else { return nil }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders =
            path.split(separator: ":").map(String.init) + ["/usr/bin", "/usr/sbin", "/usr/local/sbin"]
        let found = folders.map { $0 + "/" + name }.first { FileManager.default.isExecutableFile(atPath: $0) }
        if found == nil { display.say("\(name) is not installed: going on without it.") }
        return found
    }
}

/// Asks the kernel whether a port is free on the loopback interface.
enum FreePort {
    static func isFree(_ port: Int) -> Bool {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0, let number = UInt16(exactly: port) else { return false }
        defer { close(file) }
        var yes: Int32 = 1
        setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
