package import ClusterModel
package import ClusterPorts
import Coordinator
package import Logging
import ServiceLifecycle
import Synchronization

/// Performs what the coordinator decides: joins, beats, accuses, publishes views, and joins again after its death.
///
/// `run()` owns the coordinator as a local value, one for each incarnation. Whoever wants to know something reads
/// the ``StandingBoard``. How it fails: an unreachable database at the first start, a refused join and a foreign
/// mount end it with ``RuntimeError``; after that it never gives up.
package final class ClusterRuntime: Service {
    private struct Stopping {
        var stopped = false
        /// What the threads say; ended when the node stops.
        var reports: [AsyncStream<LineThread.Report>.Continuation] = []
    }

    let store: any ClusterStore
    let logger: Logger
    let drain: (any OwnDrain)?
    package let board: StandingBoard
    private let lines: any HeartbeatLines
    private let mount: any MountGuard & StagingArea
    private let meter: any LoadMeter
    private let profile: NodeProfile
    private let times: MembershipTimes
    private let joiner: Joiner
    private let stopping = Mutex(Stopping())

    /// - Parameter drain: nil for a node that is never drained by itself.
    package init(
        store: any ClusterStore, lines: any HeartbeatLines, mount: any MountGuard & StagingArea,
        meter: any LoadMeter, profile: NodeProfile, times: MembershipTimes = .standard,
        drain: (any OwnDrain)? = nil, board: StandingBoard, logger: Logger
    ) {
        self.store = store
        self.drain = drain
        self.lines = lines
        self.mount = mount
        self.meter = meter
        self.profile = profile
        self.times = times
        self.board = board
        self.logger = logger
        self.joiner = Joiner(store: store, mount: mount, logger: logger)
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            var doubts = 0
            while !self.isStopping {
                do {
                    try await self.liveOnce()
                } catch let doubt as JoinInDoubt where doubts < Self.mostDoubts {
                    doubts += 1
                    self.logger.warning(
                        "a join's answer was lost; tries with a new incarnation",
                        metadata: ["node.incarnation": "\(doubt.incarnation)"])
                } catch {
                    if self.isStopping || Task.isCancelled { return }
                    // The first start ends with a clear line; later the node keeps trying, since others carry on.
                    guard self.board.everJoined() else { throw Self.explained(error) }
                    self.logger.warning("joining again failed", metadata: ["error": "\(error)"])
                    try await Task.sleep(for: .seconds(1))
                }
            }
        } onGracefulShutdown: {
            self.stopping.withLock { stopping in
                stopping.stopped = true
                for reports in stopping.reports { reports.finish() }
            }
        }
    }

    /// Joins in doubt that are followed by another at once.
    private static let mostDoubts = 5

    var isStopping: Bool { self.stopping.withLock { $0.stopped } }

    private static func explained(_ error: any Error) -> any Error {
        guard let error = error as? StoreError else { return error }
        return RuntimeError.databaseUnreachable(error.description)
    }

    // MARK: One incarnation

    private func liveOnce() async throws {
        let facts = try await self.store.facts()
        try self.checkConnections(facts)
        let identity = try await self.joiner.bindMount(facts)
        let incarnation = try await self.joiner.drawIncarnation()
        // Four beats a second, with how late they left: half a minute of them, and then the newest are refused rather than queued.
        let (reports, continuation) = AsyncStream.makeStream(
            of: LineThread.Report.self, bufferingPolicy: .bufferingOldest(256))
        let (opened, openedContinuation) = AsyncStream.makeStream(
            of: LineThread.Report.self, bufferingPolicy: .bufferingNewest(1))
        self.stopping.withLock { stopping in
            stopping.reports = [continuation, openedContinuation]
            guard stopping.stopped else { return }
            for reports in stopping.reports { reports.finish() }
        }
        let pair = LinePair()
        let beating = self.thread(.heartbeat, of: pair, incarnation) { report in
            continuation.yield(report)
            if case .input(.foundDead, _) = report { continuation.finish() }
        }
        let holding = self.thread(.holder, of: pair, incarnation) { openedContinuation.yield($0) }
        beating.start()
        holding.start()
        defer {
            beating.stop()
            holding.stop()
            self.board.ended(incarnation)
        }
        let right: NodeRight
        do {
            try await Self.waitUntilOpen(reports, patience: self.patience)
            try await Self.waitUntilOpen(opened, patience: self.patience)
            right = try await self.join(incarnation, facts)
        } catch {
            await self.discardStaging(of: incarnation)
            throw error
        }
        beating.begin(right)
        holding.begin(right)
        let watch = MountWatch(
            mount: self.mount, identity: identity, board: self.board, logger: self.logger
        ) { continuation.yield(.input(.measured($0), at: SteadyClock.now())) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await watch.run() }
            await self.live(right, thread: beating, reports: reports)
            group.cancelAll()
        }
    }

    /// Nobody uses the number any more, and no departure tells anybody to clear what it has: a node that is refused
    /// again and again must not leave a folder each time.
    private func discardStaging(of incarnation: Incarnation) async {
        do {
            _ = try await self.mount.removeStaging(of: incarnation)
        } catch {
            self.logger.debug("an unused staging folder stays", metadata: ["error": "\(error)"])
        }
    }

    /// Ten seconds at the first start; later for as long as it takes.
    private var patience: Duration? { self.board.everJoined() ? nil : .seconds(10) }

    private func thread(
        _ role: LineThread.Role, of pair: LinePair, _ incarnation: Incarnation,
        report: @escaping @Sendable (LineThread.Report) -> Void
    ) -> LineThread {
        LineThread(
            role: role, pair: pair, incarnation: incarnation, lines: self.lines, board: self.board,
            meter: self.meter, capacity: self.profile.capacity, times: self.times, logger: self.logger,
            report: report)
    }

    private static func waitUntilOpen(_ reports: AsyncStream<LineThread.Report>, patience: Duration?)
        async throws
    {
        let started = SteadyClock.now()
        for await report in reports {
            switch report {
            case .opened: return
            case .failedToOpen(let error):
                if let patience, SteadyClock.now().since(started) > patience { throw error }
            case .input: break
            }
        }
        throw CancellationError()
    }

    private func checkConnections(_ facts: ClusterFacts) throws {
        let needed = facts.memberLimit * self.profile.connections
        guard facts.connectionLimit >= needed else {
            throw RuntimeError.tooFewConnections(
                has: facts.connectionLimit, needs: needed, members: facts.memberLimit)
        }
    }

    private func join(_ incarnation: Incarnation, _ facts: ClusterFacts) async throws -> NodeRight {
        let request = JoinRequest(
            incarnation: incarnation, name: self.profile.name, addresses: self.profile.addresses,
            version: self.profile.version, knownSchema: self.profile.knownSchema,
            attributes: self.profile.attributes, capacity: self.profile.capacity)
        let (right, sentAt) = try await self.joiner.takeSlot(request)
        // The facts were read before the join, so what changed since makes a newer version, never an older one.
        self.board.joined(right, at: sentAt, configVersion: facts.configVersion)
        self.logger.info(
            "joined",
            metadata: [
                "node.name": "\(right.name)", "node.slot": "\(right.slot)",
                "node.incarnation": "\(right.incarnation)",
            ])
        return right
    }

    /// Until the incarnation is dead or the node stops.
    private func live(_ right: NodeRight, thread: LineThread, reports: AsyncStream<LineThread.Report>) async {
        var coordinator = Coordinator(right: right, joinedAt: SteadyClock.now(), times: self.times)
        for await report in reports {
            guard case .input(let input, let at) = report else { continue }
            if await self.perform(input, at: at, &coordinator, thread: thread) { break }
        }
        guard self.isStopping else {
            self.logger.warning(
                "found itself dead; joins again", metadata: ["node.incarnation": "\(right.incarnation)"])
            return
        }
        self.board.ended(right.incarnation)
        do {
            _ = try await self.store.leave(slot: right.slot, incarnation: right.incarnation)
        } catch {
            self.logger.warning("could not say good-bye; others will notice", metadata: ["error": "\(error)"])
        }
    }
}
