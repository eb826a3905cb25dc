package import ArgumentParser
import EmbeddedPostgres
import Foundation

/// `flotilla cluster`: a whole cluster on this machine, without containers.
package struct ClusterCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Runs a whole cluster on this machine, without containers.",
        subcommands: [ClusterUp.self, ClusterScale.self, ClusterStatus.self])

    package init() {}
}

/// The folder of the cluster, for each of its commands.
package struct ClusterFolderOption: ParsableArguments {
    @Option(
        name: .customLong("data"), help: "Folder of the cluster: database, files, logs.",
        completion: .directory)
    var folder: String?

    package init() {}

    /// Root only launches: the cluster and its commands run as the service user.
    func leaveRoot() throws {
        try ServiceUser.become(nil, owning: [self.named ?? ServiceUser.rootsStateFolder])
    }

    /// The named folder, else the first default that can be made and is the user's own.
    func made() throws -> String {
        if let folder = self.named { return folder }
        let user = try SystemUser.current()
        for candidate in self.candidates {
            let parent = String(candidate.prefix(upTo: candidate.lastIndex(of: "/") ?? candidate.endIndex))
            if (try? PrivateFolder.makeParents(parent, mode: 0o700)) != nil,
                (try? PrivateFolder.make(parent, for: user)) != nil,
                (try? PrivateFolder.make(candidate, for: user)) != nil
            {
                return candidate
            }
        }
        throw LocalClusterError.noUsableFolder(tried: self.candidates)
    }

    /// The named folder, else the first default in which a cluster shows its status.
    func found() -> String {
        let candidates = self.candidates
        let running = candidates.first { access(LocalClusterFolder(root: $0).status, R_OK) == 0 }
        return self.named ?? running ?? candidates[0]
    }

    private var named: String? { self.folder.map { URL(fileURLWithPath: $0).standardizedFileURL.path } }

    private var candidates: [String] {
        LocalClusterOptions.defaultFolders(
            environment: ProcessInfo.processInfo.environment, home: NSHomeDirectory(), user: geteuid())
    }
}

package struct ClusterUp: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Starts PostgreSQL, Redis, HAProxy and workers; Ctrl-C stops all of them.")

    @Option(help: "How many workers to start, at most 20.")
    var workers: Int = 3
    @OptionGroup var folder: ClusterFolderOption
    @Option(help: "First port to try for the file address; the admin address is the next one.")
    var port: Int = 8080
    @Flag(name: .customLong("no-haproxy"), help: "Do not start HAProxy.")
    var withoutBalancer = false
    @Flag(name: .customLong("no-redis"), help: "Do not start Redis.")
    var withoutRedis = false
    @Option(name: .customLong("worker-program"), help: .hidden)
    var workerProgram: String = "/proc/self/exe"

    package init() {}

    package mutating func validate() throws {
        guard (0...LocalClusterOptions.workersMax).contains(self.workers) else {
            throw ValidationError("--workers: \(LocalClusterError.tooMany(self.workers))")
        }
        guard (1024...60_000).contains(self.port) else {
            throw ValidationError("--port: \(self.port) is not between 1024 and 60000")
        }
    }

    package mutating func run() async throws {
        try self.folder.leaveRoot()
        var options = LocalClusterOptions(workers: self.workers, folder: try self.folder.made())
        options.port = self.port
        options.useBalancer = !self.withoutBalancer
        options.useRedis = !self.withoutRedis
        options.executable = self.workerProgram
        try await LocalClusterStart(options).run()
    }
}

package struct ClusterScale: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "Changes the number of workers of the running cluster, and waits for it.")

    @Argument(help: "How many workers there shall be, at most 20.")
    var workers: Int
    @OptionGroup var folder: ClusterFolderOption
    @Option(help: "Seconds to wait until all are ready.")
    var timeout: Int = 120

    package init() {}

    package mutating func validate() throws {
        guard (0...LocalClusterOptions.workersMax).contains(self.workers) else {
            throw ValidationError("\(LocalClusterError.tooMany(self.workers))")
        }
        guard (1...3600).contains(self.timeout) else { throw ValidationError("--timeout: 1 to 3600 seconds") }
    }

    package mutating func run() async throws {
        try self.folder.leaveRoot()
        let cluster = RunningLocalCluster(folder: LocalClusterFolder(root: self.folder.found()))
        try await cluster.scale(to: self.workers, within: .seconds(self.timeout))
        print(self.workers == 1 ? "1 worker is ready" : "\(self.workers) workers are ready")
    }
}

package struct ClusterStatus: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows what the running cluster is doing.")

    @OptionGroup var folder: ClusterFolderOption

    package init() {}

    package mutating func run() async throws {
        try self.folder.leaveRoot()
        let status = try RunningLocalCluster(folder: LocalClusterFolder(root: self.folder.found())).status()
        for line in StatusTable.lines(status, at: Date(), width: 200, height: 100) { print(line) }
    }
}
