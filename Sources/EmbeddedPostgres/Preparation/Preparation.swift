import Foundation
import Logging

/// Everything that must be true before the server starts; each step can be repeated after a crash.
struct Preparation {
    let postgres: EmbeddedPostgres
    let logger: Logger
    private var layout: DataLayout { self.postgres.layout }
    private var server: SystemUser { self.postgres.server }

    /// Makes the data folder and takes its lock, which keeps a second Flotilla out.
    static func lockData(_ layout: DataLayout, for server: SystemUser) throws -> FolderLock {
        let own = server.id == geteuid()
        try PrivateFolder.makeParents(layout.root, mode: own ? 0o700 : 0o755)
        if !own, let obstacle = PrivateFolder.obstacle(to: layout.root, for: server) {
            throw EmbeddedPostgresError.untraversable(obstacle, user: server.name)
        }
        do {
            return try FolderLock(path: layout.lock)
        } catch let held as FolderLock.Held {
            throw EmbeddedPostgresError.inUse(layout.root, pid: held.pid)
        }
    }

    func perform() async throws {
        for folder in [self.layout.home, self.layout.log, self.layout.socket] {
            try PrivateFolder.make(folder, for: self.server)
        }
        self.removeLeftovers()
        self.postgres.log.trim()
        if !FileManager.default.fileExists(atPath: self.layout.data + "/PG_VERSION") {
            try await self.initialise()
        }
        try self.writeConfiguration(in: self.layout.data)
    }

    private func removeLeftovers() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: self.layout.home)) ?? []
        for name in names where DataLayout.isLeftover(name) {
            let path = self.layout.home + "/" + name
            do {
                try FileManager.default.removeItem(atPath: path)
                self.logger.notice(
                    "removed what an interrupted initialisation left",
                    metadata: ["postgres.folder": "\(path)"])
            } catch {
                self.logger.warning(
                    "cannot remove what an interrupted initialisation left",
                    metadata: ["postgres.folder": "\(path)", "error": "\(error)"])
            }
        }
    }

    private func writeConfiguration(in folder: String) throws {
        let memory = ProcessInfo.processInfo.physicalMemory
        let users: Set<String> = [self.server.name, self.postgres.client.name]
        let files = [
            "flotilla.conf": ServerSettings.main(socketFolder: self.layout.socket, memory: memory),
            "pg_hba.conf": ServerSettings.access,
            "pg_ident.conf": ServerSettings.identities(users),
        ]
        for (name, text) in files { try WholeFile.write(text, to: "\(folder)/\(name)", owner: self.server) }
    }
}

// MARK: - The first start

extension Preparation {
    /// Builds the data folder under another name, complete with the database, and then gives it its own.
    private func initialise() async throws {
        let random = String(UInt64.random(in: .min ... .max), radix: 16)
        let folder = "\(self.layout.home)/\(self.layout.major).initialising-\(random)"
        let log = BoundedLog(path: self.layout.log + "/initialisation.log", bytesMax: 1 << 20)
        log.trim()
        let started = ContinuousClock.now
        try PrivateFolder.make(folder, for: self.server)
        do {
            try await self.runToEnd("/initdb", self.initdbArguments(folder), log: log)
            let settings = folder + "/postgresql.conf"
            let text = try String(contentsOfFile: settings, encoding: .utf8)
            try WholeFile.write(text + "\ninclude 'flotilla.conf'\n", to: settings, owner: self.server)
            try self.writeConfiguration(in: folder)
            let commands = folder + "/flotilla.sql"
            try WholeFile.write(
                "CREATE DATABASE \(ServerSettings.database)\n", to: commands, owner: self.server)
            try await self.runToEnd("/bin/sh", self.singleUserArguments(folder, commands), log: log)
            unlink(commands)
            try WholeFile.syncFolder(folder)
            // An empty folder or nothing may be there: what is not a whole data folder does not count.
            rmdir(self.layout.data)
            guard rename(folder, self.layout.data) == 0 else {
                throw EmbeddedPostgresError.badFolder(self.layout.data, reason: systemReason())
            }
            try WholeFile.syncFolder(self.layout.home)
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
        self.logger.info(
            "postgres has a new data folder",
            metadata: [
                "postgres.folder": "\(self.layout.data)", "postgres.took": "\(started.duration(to: .now))",
            ])
    }

    private func initdbArguments(_ folder: String) -> [String] {
        [
            "-D", folder, "-U", ServerSettings.role, "--auth=peer", "--encoding=UTF8", "--locale=C",
            "--data-checksums", "--no-instructions",
        ]
    }

    /// The server in single-user mode, which reads statements from its standard input and needs no socket.
    private func singleUserArguments(_ folder: String, _ commands: String) -> [String] {
        [
            "-c", #"exec "$0" --single -c exit_on_error=on -D "$1" template1 <"$2""#,
            self.postgres.installation.folder + "/postgres", folder, commands,
        ]
    }

    private func runToEnd(_ program: String, _ arguments: [String], log: BoundedLog) async throws {
        let bin = self.postgres.installation.folder
        let child = try await ChildProcess.start(
            ChildCommand(
                executable: program == "/bin/sh" ? program : bin + program, arguments: arguments,
                environment: self.postgres.installation.environment, folder: "/", output: log,
                deathSignal: SIGKILL, user: self.server.ifOther(than: self.postgres.client)))
        guard let end = await child.ended() else {
            await child.stop([.init(signal: SIGKILL, patience: .seconds(5))])
            throw CancellationError()
        }
        guard end == .exited(0) else {
            throw EmbeddedPostgresError.initialisationFailed(
                reason: log.lastComplaint() ?? end.description, log: log.path)
        }
    }
}
