import EmbeddedPostgres
import Foundation

/// What each child of a local cluster is started with.
struct LocalChildCommands: Sendable {
    let folder: LocalClusterFolder
    let ports: LocalPorts
    let executable: String
    let databaseAddress: String
    /// Nil where it is not installed or not wanted.
    let redisServer: String?
    let balancer: String?
    let environment: [String: String]

    var others: [LocalChild] {
        (self.redisServer == nil ? [] : [.redis]) + (self.balancer == nil ? [] : [.balancer])
    }

    var filesAddress: String {
        "http://127.0.0.1:\(self.balancer == nil ? self.ports.files(ofWorker: 1) : self.ports.files)"
    }
    var adminAddress: String {
        "http://127.0.0.1:\(self.balancer == nil ? self.ports.admin(ofWorker: 1) : self.ports.admin)"
    }

    func command(for child: LocalChild) -> ChildCommand {
        switch child {
        case .redis:
            // A cache that forgets: nothing is written, and it never grows.
            self.command(
                self.redisServer ?? "/usr/bin/redis-server",
                [
                    "--bind", "127.0.0.1", "--port", "\(self.ports.redis)", "--save", "", "--appendonly",
                    "no",
                    "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru", "--dir", self.folder.redis,
                    "--daemonize", "no",
                ], child)
        case .balancer:
            self.command(
                self.balancer ?? "/usr/sbin/haproxy", ["-db", "-f", self.folder.balancerConfiguration], child)
        case .worker(let number):
            self.command(self.executable, self.arguments(ofWorker: number), child)
        }
    }

    private func arguments(ofWorker number: Int) -> [String] {
        var arguments = [
            "serve", "--name", LocalChild.worker(number).name, "--database-url", self.databaseAddress,
            "--mount", self.folder.mount, "--data", self.folder.data(ofWorker: number),
            "--files-port", "\(self.ports.files(ofWorker: number))",
            "--admin-port", "\(self.ports.admin(ofWorker: number))",
            "--agent-port", "\(self.ports.agent(ofWorker: number))", "--bind", "127.0.0.1",
            "--token-file", self.folder.adminToken, "--database-connections", "4",
            "--trusted-proxies", "127.0.0.1",
            // Whoever tries things out has the receiver on this machine too.
            "--webhooks-reach", "any",
        ]
        if self.redisServer != nil { arguments += ["--redis-url", "redis://127.0.0.1:\(self.ports.redis)"] }
        return arguments
    }

    private func command(_ program: String, _ arguments: [String], _ child: LocalChild) -> ChildCommand {
        ChildCommand(
            executable: program, title: program == "/proc/self/exe" ? "flotilla" : nil, arguments: arguments,
            environment: self.environment, folder: self.folder.root, output: self.log(of: child),
            deathSignal: SIGKILL)
    }

    func log(of child: LocalChild) -> BoundedLog {
        BoundedLog(path: self.folder.log(of: child), bytesMax: 8 << 20)
    }

    func filesPort(of child: LocalChild) -> Int? {
        switch child {
        case .redis: self.ports.redis
        case .balancer: self.ports.files
        case .worker(let number): self.ports.files(ofWorker: number)
        }
    }

    func adminPort(of child: LocalChild) -> Int? {
        switch child {
        case .redis: nil
        case .balancer: self.ports.admin
        case .worker(let number): self.ports.admin(ofWorker: number)
        }
    }

    /// Where HAProxy can be asked for its statistics.
    static func balancerSocket(in folder: String) -> String { folder + "/haproxy.sock" }

    /// Makes the folders and the balancer's configuration, which HAProxy itself then checks.
    func prepare(socketFolder: String) async throws {
        let workers = (1...LocalClusterOptions.workersMax).map { self.folder.data(ofWorker: $0) }
        for path in [self.folder.redis, self.folder.mount] + workers {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: path == self.folder.mount ? 0o770 : 0o700])
        }
        for child in [.redis, .balancer] + (1...LocalClusterOptions.workersMax).map(LocalChild.worker) {
            self.log(of: child).setAside()  // The words of the last run would look like this one's.
        }
        guard let balancer = self.balancer else { return }
        let text = BalancerConfiguration.text(
            ports: self.ports, socket: Self.balancerSocket(in: socketFolder))
        try StateFile.write(text: text, to: self.folder.balancerConfiguration)
        let check = try await ChildProcess.start(
            self.command(balancer, ["-c", "-f", self.folder.balancerConfiguration], .balancer))
        guard await check.ended() == .exited(0) else {
            let words = self.log(of: .balancer).lastLine() ?? "no reason given"
            throw LocalClusterError.balancerRefuses(words, configuration: self.folder.balancerConfiguration)
        }
    }
}
