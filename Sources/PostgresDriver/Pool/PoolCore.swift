import Logging
import ReadinessLoop

/// Performs what the state machine of one lane decides; every member is touched on the loop's thread only.
final class PoolCore: @unchecked Sendable {
    /// What stands behind one slot of the state machine.
    struct Seat {
        var session: PipelineSession?
        var dial: Dial?
        /// The trial that is under way; it counts as nobody's statement.
        var probe: PendingStatement?
        /// Why the pool itself is about to close the connection.
        var closing: PostgresCloseReason?
        var isStallWatched = false
    }

    let lane: PostgresLane
    let configuration: PostgresPoolConfiguration
    let route: Route
    let loop: ReadinessLoop
    let logger: Logger
    var machine: PoolStateMachine<PendingStatement>
    var seats: [Seat]
    let deadlines: DeadlineWatch
    var totals = PostgresPoolStatistics()
    var lastFailure: String?
    var random = SystemRandomNumberGenerator()
    private var onStopped: (() -> Void)?

    init(
        _ lane: PostgresLane, sizes: PostgresLaneSizes, configuration: PostgresPoolConfiguration,
        route: Route, loop: ReadinessLoop, logger: Logger
    ) {
        self.lane = lane
        self.configuration = configuration
        self.route = route
        self.loop = loop
        var logger = logger
        logger[metadataKey: "postgres.lane"] = "\(lane)"
        self.logger = logger
        self.machine = PoolStateMachine(
            connections: sizes.connections, depth: sizes.depth, waitingLimit: sizes.waitingLimit,
            backOff: configuration.backOff)
        self.seats = Array(repeating: Seat(), count: sizes.connections)
        self.deadlines = DeadlineWatch(loop: loop)
        // From the very beginning: deadlines also hold for what is given before the pool runs.
        self.deadlines.onDue = { [weak self] in self?.due($0) }
    }

    func start() {
        for slot in self.machine.started() { self.dial(slot) }
        self.scheduleHealthCheck()
    }

    var statistics: PostgresPoolStatistics {
        var statistics = self.totals
        statistics.connections = self.seats.count { $0.session != nil }
        statistics.ready = self.machine.readyCount
        statistics.inFlight = self.machine.inFlight
        statistics.waiting = self.machine.waitingCount
        return statistics
    }

    // MARK: Statements

    func submit(_ pending: PendingStatement) {
        if pending.isCancelled { return self.finish(pending, .failure(.didNotRun(.cancelled))) }
        let now = self.loop.now
        // The turn's time may be older than the statement; for most the clock need not be asked again.
        if pending.due <= now || (pending.due < now + .milliseconds(50) && pending.due <= .now) {
            return self.finish(pending, .failure(.didNotRun(.deadline(nil))))
        }
        switch self.machine.submitted(pending, at: now) {
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
        self.stopIfDrained()
    }

    private func due(_ pending: PendingStatement) {
        if pending.place == .sent { self.overdue(pending) }
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

    func send(_ pending: PendingStatement, on slot: Int) {
        pending.slot = slot
        guard let session = self.seats[slot].session else {
            preconditionFailure("slot \(slot) is ready without a session")
        }
        if self.seats[slot].probe !== pending { self.totals.sentTotal += 1 }
        session.send(pending)
    }

    private func finish(_ pending: PendingStatement, _ answer: PendingStatement.Answer) {
        guard pending.place != .finished else { return }
        self.deadlines.remove(pending)
        if self.seats[pending.slot].probe !== pending { self.count(answer) }
        pending.finish(answer)
    }

    private func count(_ answer: PendingStatement.Answer) {
        switch answer {
        case .success: self.totals.servedTotal += 1
        case .failure(.failed): self.totals.failedTotal += 1
        case .failure(.mayHaveRun): self.totals.unknownTotal += 1
        case .failure(.didNotRun): self.totals.notRunTotal += 1
        case .failure(.unreadable): break
        }
    }

    /// Gives the free places of a connection to those who wait, in their order.
    func serve(_ slot: Int) {
        while let next = self.machine.nextWaiter(for: slot) {
            let now = self.loop.now
            // Its timer is due in this very turn: sending it now could only make its outcome unknown.
            guard next.waiter.due > now else {
                self.machine.placeReturned(slot)
                self.finish(next.waiter, .failure(.didNotRun(.deadline(nil))))
                continue
            }
            self.totals.noteWait(next.since.duration(to: now))
            self.send(next.waiter, on: slot)
        }
    }

    // MARK: The end

    /// Lets what was accepted end, within the configured limit; then calls `done`, once.
    func stop(_ done: @escaping () -> Void) {
        self.machine.stopBegun()
        self.onStopped = done
        self.loop.schedule(after: self.configuration.shutdownLimit) { [weak self] in self?.stopNow() }
        self.stopIfDrained()
    }

    func stopIfDrained() {
        guard self.onStopped != nil, self.machine.isDrained else { return }
        self.stopNow()
    }

    private func stopNow() {
        guard let done = self.onStopped else { return }
        self.onStopped = nil
        for pending in self.machine.stopped() { self.finish(pending, .failure(.didNotRun(.closed))) }
        for slot in self.seats.indices {
            self.seats[slot].dial?.abandon()
            self.seats[slot].dial = nil
            self.close(slot, .stopped, "the pool is closed")
        }
        self.deadlines.stop()
        done()
    }
}

extension PoolCore: PipelineSessionOwner {
    func answered(
        _ pending: PendingStatement, with answer: PendingStatement.Answer, on session: PipelineSession
    ) {
        let slot = pending.slot
        self.finish(pending, answer)
        if self.seats[slot].probe === pending { self.seats[slot].probe = nil }
        // When the session has ended, its slot is replaced as a whole once everybody has been told.
        if session.mode != .ended {
            // Before anybody else is sent there.
            if case .failure(let error) = answer, error.sqlState == .readOnlyTransaction {
                self.leaveReadOnlyServer()
            }
            switch self.machine.answered(slot) {
            case .serve: self.serve(slot)
            case .close: self.close(slot, self.seats[slot].closing ?? .aged, "it was replaced")
            case .none: break
            }
        }
        self.stopIfDrained()
    }

    func ended(_ session: PipelineSession, because reason: String) {
        guard let slot = self.seats.firstIndex(where: { $0.session === session }) else { return }
        let why = self.seats[slot].closing ?? .lost
        self.seats[slot] = Seat()
        self.totals.closedTotal[why, default: 0] += 1
        if self.machine.phase == .running, why == .lost || why == .stalled { self.noteFailure(reason) }
        self.logger.debug(
            "postgres connection closed",
            metadata: ["postgres.backend": "\(session.backendID)", "reason": "\(why.rawValue)"])
        self.perform(self.machine.lost(slot, jitter: .random(in: 0...1, using: &self.random)), slot)
        self.stopIfDrained()
    }
}
