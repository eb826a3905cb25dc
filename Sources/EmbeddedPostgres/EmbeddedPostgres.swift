import Foundation
package import Logging
import ServiceLifecycle
import Synchronization

/// A private PostgreSQL that lives and ends with this process.
///
/// `run()` initialises the data folder once, starts the server, starts it again when it dies, and stops it
/// when the service group shuts down. Clients connect through a Unix socket only, as the role `flotilla`.
package final class EmbeddedPostgres: Service {
    /// What the server is doing now.
    package enum State: Sendable, Equatable {
        /// Goes to `ready` or `failed`.
        case starting
        /// It answers. Goes to `restarting` or `stopped`.
        case ready(pid: Int32)
        /// It died and will be started again. Goes to `ready` or `stopped`.
        case restarting
        case stopped
        /// It cannot run; the text says why.
        case failed(EmbeddedPostgresError)
    }

    package let configuration: EmbeddedPostgresConfiguration
    let layout: DataLayout
    let installation: Installation
    let server: SystemUser
    let client: SystemUser
    private let logger: Logger
    private let published = Mutex<State>(.starting)

    /// Finds the programs and decides on the folders; starts and writes nothing.
    ///
    /// Throws `EmbeddedPostgresError` when PostgreSQL is missing, of another version than the data, or would
    /// run as root.
    package init(configuration: EmbeddedPostgresConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        self.client = try SystemUser.current()
        self.server = try SystemUser.ofServer(named: configuration.user, startedBy: self.client)
        let root = absolutePath(configuration.data)
        let found = InstallationSearch.all(searchPath: configuration.searchPath)
        let majors = DataLayout.majors(in: root + "/postgres")
        self.installation = try Installation.choose(
            from: found, dataMajors: majors, folder: root + "/postgres"
        ).get()
        let runtime = SocketFolder.usableRuntimeFolder(configuration.runtimeFolder, for: self.server)
        self.layout = DataLayout(
            root: root, major: self.installation.major,
            socket: SocketFolder.choose(data: root, runtimeFolder: runtime, user: self.server.id))
    }

    /// What a libpq client passes to reach it.
    ///
    /// Valid before the server is ready, too.
    package var connectionString: String { ServerSettings.connectionString(socketFolder: self.layout.socket) }

    /// The private folder of the server's socket; exists once the server is ready.
    ///
    /// A socket of a name no longer than `.s.PGSQL.5432` fits in it, too.
    package var socketFolder: String { self.layout.socket }

    /// The folder of PostgreSQL's programs, `psql` among them where it is installed.
    package var programs: String { self.installation.folder }

    /// What the server is doing at this moment.
    package var state: State { self.published.withLock { $0 } }

    /// Returns once the server answers; throws its error when it cannot start.
    ///
    /// Bounded by `configuration.readyWithin` from the call on.
    package func waitUntilReady() async throws {
        let deadline = ContinuousClock.now.advanced(by: self.configuration.readyWithin)
        while true {
            switch self.state {
            case .ready: return
            case .failed(let error): throw error
            case .stopped: throw EmbeddedPostgresError.stopped
            case .starting, .restarting: break
            }
            guard ContinuousClock.now < deadline else {
                throw EmbeddedPostgresError.notReady(within: self.configuration.readyWithin)
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Runs the server until the service group shuts down or the task is cancelled; stops it before it
    /// returns.
    package func run() async throws {
        do {
            let lock = try Preparation.lockData(self.layout, for: self.server)
            defer {
                // Outside of the data folder, nothing stays.
                if !self.layout.socket.hasPrefix(self.layout.root) { rmdir(self.layout.socket) }
                lock.release()
            }
            try await cancelWhenGracefulShutdown {
                try await Preparation(postgres: self, logger: self.logger).perform()
                try await self.supervise()
            }
            self.publish(.stopped)
        } catch is CancellationError {
            self.publish(.stopped)
        } catch {
            let known = error as? EmbeddedPostgresError ?? .unexpected("\(error)")
            self.publish(.failed(known))
            throw known
        }
    }

    func publish(_ state: State) { self.published.withLock { $0 = state } }
}

// MARK: - Supervision

extension EmbeddedPostgres {
    /// Keeps one server running until the task is cancelled.
    private func supervise() async throws {
        var backoff = RestartBackoff(first: .milliseconds(100), most: .seconds(10), calmAfter: .seconds(30))
        var wasReady = false
        var failures = 0
        while true {
            try await self.orphans.clear()
            let started = ContinuousClock.now
            let reason: String
            do {
                let child = try await ChildProcess.start(self.command)
                let ending = await self.attend(child)
                guard let ending else { return await self.stop(child) }
                if case .ready = self.state { wasReady = true }
                reason = ending.description
            } catch let error as ChildProcess.StartError {
                reason = error.description
            }
            failures = wasReady ? 0 : failures + 1
            guard failures < 3 else {
                throw EmbeddedPostgresError.doesNotStart(
                    reason: self.log.lastComplaint() ?? reason, log: self.log.path)
            }
            self.publish(wasReady ? .restarting : .starting)
            let delay = backoff.delay(afterLiving: started.duration(to: .now))
            self.logger.warning(
                "postgres ended, starting it again",
                metadata: ["postgres.end": "\(reason)", "postgres.delay": "\(delay)"])
            try await Task.sleep(for: delay)
        }
    }

    /// Watches a server until it ends; answers nil when the task was cancelled first.
    private func attend(_ child: ChildProcess) async -> ChildProcess.End? {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch(child) }
            let ending = await child.ended()
            group.cancelAll()
            return ending
        }
    }

    /// Says when the server answers, then keeps its log small.
    private func watch(_ child: ChildProcess) async {
        let started = ContinuousClock.now
        do {
            while PostmasterFile.read(in: self.layout.data)?.isReady(pid: child.pid) != true {
                if started.duration(to: .now) > self.configuration.readyWithin {
                    return await self.stop(child)
                }
                try await Task.sleep(for: .milliseconds(10))
            }
            self.publish(.ready(pid: child.pid))
            self.logger.info(
                "postgres is ready",
                metadata: [
                    "postgres.pid": "\(child.pid)", "postgres.version": "\(self.installation.major)",
                    "postgres.folder": "\(self.layout.data)",
                    "postgres.took": "\(started.duration(to: .now))",
                ])
            while true {
                try await Task.sleep(for: .seconds(10))
                self.log.trim()
            }
        } catch {}  // Cancelled: the server ended or shall end.
    }

    /// Fast shutdown, then immediate shutdown, then the end; not cut short by cancellation.
    private func stop(_ child: ChildProcess) async {
        await child.stop([
            .init(signal: SIGINT, patience: self.configuration.stopWithin),
            .init(signal: SIGQUIT, patience: .seconds(5)),
            .init(signal: SIGKILL, patience: .seconds(5)),
        ])
        self.logger.info(
            "postgres stopped", metadata: ["postgres.end": "\(child.ending?.description ?? "unknown")"])
    }

    private var orphans: OrphanedServer {
        OrphanedServer(folder: self.layout.data, socketFolder: self.layout.socket, logger: self.logger)
    }

    var log: BoundedLog {
        BoundedLog(path: self.layout.log + "/postgres.log", bytesMax: self.configuration.logBytesMax)
    }

    private var command: ChildCommand {
        ChildCommand(
            executable: self.installation.folder + "/postgres", arguments: ["-D", self.layout.data],
            environment: self.installation.environment, folder: self.layout.data, output: self.log,
            deathSignal: SIGINT, user: self.server.ifOther(than: self.client))
    }
}
