import Logging
import ReadinessLoop

/// Performs what the pool's state machine decides; every member is touched on the loop's thread only.
final class PoolCore: @unchecked Sendable {
    let configuration: PostgresPoolConfiguration
    let targets: ConnectionTargets
    let loop: ReadinessLoop
    let logger: Logger
    var machine: PoolStateMachine<PendingStatement>
    var sessions: [PipelineSession?]
    var dials: [Dial?]
    let deadlines: DeadlineWatch
    var totals = PostgresPoolStatistics()
    var lastFailure: String?
    var firstTarget = 0
    var onStopped: (() -> Void)?
    private var random = SystemRandomNumberGenerator()

    init(
        _ configuration: PostgresPoolConfiguration, targets: ConnectionTargets, loop: ReadinessLoop,
        logger: Logger
    ) {
        self.configuration = configuration
        self.targets = targets
        self.loop = loop
        self.logger = logger
        self.machine = PoolStateMachine(
            connections: configuration.connections, depth: configuration.depth,
            waitingLimit: configuration.waitingLimit)
        self.sessions = Array(repeating: nil, count: configuration.connections)
        self.dials = Array(repeating: nil, count: configuration.connections)
        self.deadlines = DeadlineWatch(loop: loop)
        // From the very beginning: deadlines also hold for what is given before the pool runs.
        self.deadlines.onDue = { [weak self] in self?.due($0) }
    }

    func start() {
        for slot in self.machine.started() { self.dial(slot) }
        self.scheduleHealthCheck()
    }

    // MARK: Statements

    func submit(_ pending: PendingStatement) {
        if pending.isCancelled { return self.finish(pending, .failure(.didNotRun(.cancelled))) }
        switch self.machine.submitted(pending) {
        case .send(let slot):
            self.deadlines.add(pending)
            self.send(pending, on: slot)
        case .wait:
            pending.place = .waiting
            self.deadlines.add(pending)
        case .refuse(let reason):
            self.finish(pending, .failure(.didNotRun(reason)))
        }
    }

    func cancel(_ pending: PendingStatement) {
        // Nobody waits yet for one that is still on its way: it is answered when it comes.
        guard pending.place != .given else {
            pending.isCancelled = true
            return
        }
        self.giveUp(pending, .cancelled, sent: .cancelled)
    }

    private func due(_ pending: PendingStatement) {
        if pending.place == .sent { self.watchForStall(pending) }
        self.giveUp(
            pending, .deadline(self.machine.readyCount == 0 ? self.lastFailure : nil), sent: .deadline)
        self.stopIfDrained()
    }

    private func giveUp(
        _ pending: PendingStatement, _ notSent: PostgresError.NotRunReason,
        sent: PostgresError.LostAnswerReason
    ) {
        if pending.place == .waiting { _ = self.machine.withdrawn(pending) }
        self.finish(pending, .failure(pending.givenUp(notSent: notSent, sent: sent)))
    }

    private func send(_ pending: PendingStatement, on slot: Int) {
        self.totals.sentTotal += 1
        pending.slot = slot
        guard let session = self.sessions[slot] else {
            preconditionFailure("slot \(slot) is ready without a session")
        }
        session.send(pending)
    }

    private func finish(_ pending: PendingStatement, _ answer: PendingStatement.Answer) {
        guard pending.place != .finished else { return }
        self.deadlines.remove(pending)
        if case .failure(let error) = answer {
            switch error {
            case .failed: self.totals.failedTotal += 1
            case .mayHaveRun: self.totals.unknownTotal += 1
            case .didNotRun: self.totals.notRunTotal += 1
            case .unreadable: break
            }
        }
        pending.finish(answer)
    }

    private func serve(_ slot: Int) {
        while let next = self.machine.nextWaiter(for: slot) { self.send(next, on: slot) }
    }

    // MARK: Connections

    private func dial(_ slot: Int) {
        let dial = Dial(
            loop: self.loop, targets: self.targets, first: self.firstTarget,
            hostDeadline: self.configuration.server.connectDeadline,
            onNotice: { [logger] in logger.debug("postgres notice", metadata: ["postgres.notice": "\($0)"]) },
            completion: { [weak self] in self?.dialled(slot, $0) })
        self.dials[slot] = dial
        dial.start()
    }

    private func dialled(
        _ slot: Int, _ result: Result<(handle: ConnectionHandle, target: Int), PostgresError>
    ) {
        self.dials[slot] = nil
        do throws(PostgresError) {
            let (handle, target) = try result.get()
            let session = PipelineSession(
                handle, loop: self.loop, cacheLimit: self.configuration.preparedLimit, renewsPlans: true)
            try session.open()
            guard self.machine.dialled(slot) == .serve else { return session.end("nobody needs it any more") }
            session.owner = self
            self.sessions[slot] = session
            self.firstTarget = target
            self.totals.connectedTotal += 1
            self.noteSuccess()
            self.logger.debug("postgres connected", metadata: ["postgres.backend": "\(session.backendID)"])
            self.serve(slot)
        } catch {
            self.totals.connectFailedTotal += 1
            self.noteFailure(error.connectionFailure)
            self.perform(self.machine.dialFailed(slot, jitter: .random(in: 0...1, using: &self.random)), slot)
        }
    }

    /// Each new reason once: a server that is away would fill the log.
    private func noteFailure(_ reason: String) {
        if self.lastFailure != reason {
            self.logger.warning("postgres connection failed", metadata: ["error": "\(reason)"])
        }
        self.lastFailure = reason
    }

    private func noteSuccess() {
        guard self.lastFailure != nil else { return }
        self.lastFailure = nil
        self.logger.info("postgres answers again")
    }

    private func perform(_ decision: PoolStateMachine<PendingStatement>.OnLost, _ slot: Int) {
        switch decision {
        case .dial: self.dial(slot)
        case .dialLater(let delay):
            self.loop.schedule(after: delay) { [weak self] in
                guard let self, self.machine.backOffEnded(slot) else { return }
                self.dial(slot)
            }
        case .none: break
        }
    }

    /// A connection that says nothing at all for the limit is dead, whatever its socket claims.
    private func watchForStall(_ pending: PendingStatement) {
        self.machine.overdue(pending.slot)
        guard let session = self.sessions[pending.slot] else { return }
        let seen = session.lastReceived
        self.loop.schedule(after: self.configuration.stallLimit) { [weak session] in
            guard let session, !session.inFlight.isEmpty, session.lastReceived == seen else { return }
            session.end("the server has not said anything since a statement's deadline")
        }
    }

    private func scheduleHealthCheck() {
        self.loop.schedule(after: self.configuration.healthCheckInterval) { [weak self] in
            guard let self, self.machine.phase == .running else { return }
            for slot in self.sessions.indices where self.machine.probed(slot) {
                let probe = PendingStatement("select 1", due: ContinuousClock.now.advanced(by: .seconds(2)))
                self.deadlines.add(probe)
                self.send(probe, on: slot)
            }
            self.scheduleHealthCheck()
        }
    }
}

extension PoolCore: PipelineSessionOwner {
    func answered(
        _ pending: PendingStatement, with answer: PendingStatement.Answer, on session: PipelineSession
    ) {
        let slot = pending.slot
        self.finish(pending, answer)
        if session.mode == .ended {
            // The slot is replaced as a whole when the session has told everybody.
        } else {
            switch self.machine.answered(slot) {
            case .serve: self.serve(slot)
            case .close: session.end("it was retired")
            case .none: break
            }
            if case .failure(let error) = answer, error.sqlState == .readOnlyTransaction,
                self.machine.retired(slot) == .close
            {
                session.end("its server can only be read")
            }
        }
        self.stopIfDrained()
    }

    func ended(_ session: PipelineSession, because reason: String) {
        guard let slot = self.sessions.firstIndex(where: { $0 === session }) else { return }
        self.sessions[slot] = nil
        self.totals.lostTotal += 1
        if self.machine.phase == .running { self.noteFailure(reason) }
        self.perform(self.machine.lost(slot, jitter: .random(in: 0...1, using: &self.random)), slot)
        self.stopIfDrained()
    }

    // MARK: The end

    /// Lets what was accepted end, within the configured limit; then calls `done`, once.
    func stop(_ done: @escaping () -> Void) {
        self.machine.stopBegun()
        self.onStopped = done
        self.loop.schedule(after: self.configuration.shutdownLimit) { self.stopNow() }
        self.stopIfDrained()
    }

    private func stopIfDrained() {
        guard self.onStopped != nil, self.machine.isDrained else { return }
        self.stopNow()
    }

    private func stopNow() {
        guard let done = self.onStopped else { return }
        self.onStopped = nil
        for pending in self.machine.stopped() { self.finish(pending, .failure(.didNotRun(.closed))) }
        for dial in self.dials { dial?.abandon() }
        for session in self.sessions { session?.end("the pool is closed") }
        self.deadlines.stop()
        done()
    }
}
