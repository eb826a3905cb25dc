import EmbeddedPostgres
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Runs a whole cluster on this machine: Redis, the balancer and workers as children, on the loopback
/// interface.
///
/// PostgreSQL is a service of its own beside it, which ends after it (see `LocalClusterStart`).
final class LocalCluster: Service {
    private let options: LocalClusterOptions
    private let folder: LocalClusterFolder
    private let commands: LocalChildCommands
    private let postgres: EmbeddedPostgres
    private let display: any StatusDisplay
    private let logger: Logger
    private let probes = HealthProbes()

    init(
        options: LocalClusterOptions, commands: LocalChildCommands, postgres: EmbeddedPostgres,
        display: any StatusDisplay, logger: Logger
    ) {
        self.options = options
        self.folder = commands.folder
        self.commands = commands
        self.postgres = postgres
        self.display = display
        self.logger = logger
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.waitForDatabase() }
        } catch is CancellationError {
            return  // Stopped before it began.
        }
        try await self.commands.prepare(socketFolder: self.postgres.socketFolder)
        var living = Living(
            plan: LocalClusterPlan(workers: self.options.workers, others: self.commands.others), started: .now
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.probes.run() }
            await self.live(&living)
            group.cancelAll()
        }
        self.display.say("Stopping …")
        await self.stop(living.children)
        unlink(self.folder.status)
        unlink(LocalChildCommands.balancerSocket(in: self.postgres.socketFolder))
        self.display.say("Stopped.")
    }

    /// What the loop below knows; nobody else has it.
    private struct Living {
        var plan: LocalClusterPlan
        let started: ContinuousClock.Instant
        var children: [LocalChild: ChildProcess] = [:]
        /// What the performing of orders brought, for the next step.
        var news: [LocalClusterPlan.Event] = []
        var lastShown = ContinuousClock.now
        var shown: LocalClusterStatus?

        var age: Duration { self.started.duration(to: .now) }
    }

    /// Ten times a second: what happened, what to do, do it, show it.
    ///
    /// Ends with the service group.
    private func live(_ living: inout Living) async {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let events = living.news + self.endings(&living) + self.probes.answers() + self.wish()
            living.news = []
            for order in living.plan.step(events, at: living.age) { await self.perform(order, &living) }
            self.probes.watch(self.probed(living.plan))
            self.show(&living)
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func waitForDatabase() async throws {
        self.display.say("Starting PostgreSQL in \(self.folder.root) …")
        try await self.postgres.waitUntilReady()
    }
}

// MARK: - What happened

extension LocalCluster {
    private func endings(_ living: inout Living) -> [LocalClusterPlan.Event] {
        let ended = living.children.compactMap { child, process in process.ending.map { (child, $0) } }
        for (child, end) in ended {
            living.children[child] = nil
            self.logger.notice("child ended", metadata: ["child": "\(child.name)", "end": "\(end)"])
        }
        return ended.map { .ended($0, $1) }
    }

    /// What `flotilla cluster scale` last asked for.
    private func wish() -> [LocalClusterPlan.Event] {
        ScaleWish.read(from: self.folder.wanted).map { [.wanted(workers: $0.workers)] } ?? []
    }

    private func probed(_ plan: LocalClusterPlan) -> [LocalChild: Int] {
        var ports: [LocalChild: Int] = [:]
        for (child, state) in plan.children where state.pid != nil {
            if case .worker(let number) = child { ports[child] = self.commands.ports.admin(ofWorker: number) }
        }
        return ports
    }
}

// MARK: - Doing

extension LocalCluster {
    private func perform(_ order: LocalClusterPlan.Order, _ living: inout Living) async {
        switch order {
        case .start(let child):
            do {
                let process = try await ChildProcess.start(self.commands.command(for: child))
                living.children[child] = process
                living.news.append(.started(child, pid: process.pid))
            } catch {
                self.logger.error(
                    "cannot start a child", metadata: ["child": "\(child.name)", "error": "\(error)"])
                living.news.append(.notStarted(child))
            }
        case .stop(let child):
            living.children[child]?.signal(SIGTERM)
            living.children[child]?.signal(SIGCONT)  // A paused one could not obey.
        case .kill(let child): living.children[child]?.signal(SIGKILL)
        }
    }

    /// The balancer first, so that no client is sent to a worker that leaves; the database follows by itself.
    private func stop(_ children: [LocalChild: ChildProcess]) async {
        await self.stop(children, where: { $0 == .balancer }, within: .seconds(3))
        await self.stop(
            children, where: { $0 != .balancer && $0 != .redis }, within: LocalClusterPlan.stoppingFor)
        await self.stop(children, where: { $0 == .redis }, within: .seconds(3))
    }

    private func stop(
        _ children: [LocalChild: ChildProcess], where isMeant: (LocalChild) -> Bool, within patience: Duration
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for (child, process) in children where isMeant(child) {
                group.addTask {
                    await process.stop([
                        .init(signal: SIGTERM, patience: patience),
                        .init(signal: SIGKILL, patience: .seconds(5)),
                    ])
                }
            }
        }
    }

    /// At each change, and once a second, so that others see that the cluster lives.
    private func show(_ living: inout Living) {
        let now = ContinuousClock.now
        let isDue = living.lastShown.duration(to: now) >= .seconds(1)
        guard isDue || living.shown?.rows.map(\.state) != self.rows(living, withWords: false).map(\.state)
        else { return }
        let status = LocalClusterStatus(
            pid: getpid(), updatedAt: Date(), workersWanted: living.plan.workersWanted,
            filesAddress: self.commands.filesAddress, adminAddress: self.commands.adminAddress,
            folder: self.folder.root, rows: self.rows(living, withWords: true))
        self.display.show(status, after: living.shown)
        do { try StateFile.write(status, to: self.folder.status) } catch {
            self.logger.warning("cannot write the status", metadata: ["error": "\(error)"])
        }
        for child in living.children.keys { self.commands.log(of: child).trim() }
        living.shown = status
        living.lastShown = now
    }

    private func rows(_ living: Living, withWords: Bool) -> [LocalClusterStatus.Row] {
        let children = living.plan.children.sorted { LocalChild.startsBefore($0.key, $1.key) }.map {
            child, state in
            let isPaused = state.phase == .silent && state.pid.map(isStopped) == true
            let age = living.age - state.startedAt
            return LocalClusterStatus.Row(
                name: child.name, state: isPaused ? "paused" : state.phase.label, pid: state.pid,
                filesPort: self.commands.filesPort(of: child), adminPort: self.commands.adminPort(of: child),
                startedAt: state.pid == nil ? nil : Date(timeIntervalSinceNow: -(age / .seconds(1))),
                restarts: state.restarts, lastLine: withWords ? self.commands.log(of: child).lastLine() : nil)
        }
        return [self.postgresRow] + children
    }

    private var postgresRow: LocalClusterStatus.Row {
        switch self.postgres.state {
        case .ready(let pid): .init(name: "postgres", state: "ready", pid: pid)
        case .starting: .init(name: "postgres", state: "starting")
        case .restarting: .init(name: "postgres", state: "restarting")
        case .stopped: .init(name: "postgres", state: "stopped")
        case .failed(let error): .init(name: "postgres", state: "failed", lastLine: error.description)
        }
    }
}

/// Whether a process is paused by a signal, as the kernel says.
private func isStopped(_ pid: Int32) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
    return text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst().hasPrefix(" T")
}
