import Logging
import ReadinessLoop

/// Making, trying and replacing the connections of a lane.
extension PoolCore {
    func dial(_ slot: Int) {
        let dial = Dial(
            loop: self.loop, targets: self.route.targets, first: self.route.first,
            hostDeadline: self.configuration.server.connectDeadline,
            onNotice: { [logger] in logger.debug("postgres notice", metadata: ["postgres.notice": "\($0)"]) },
            completion: { [weak self] in self?.dialled(slot, $0) })
        self.seats[slot].dial = dial
        dial.start()
    }

    private func dialled(
        _ slot: Int, _ result: Result<(handle: ConnectionHandle, target: Int), PostgresError>
    ) {
        self.seats[slot].dial = nil
        do throws(PostgresError) {
            let (handle, target) = try result.get()
            let session = PipelineSession(
                handle, loop: self.loop, cacheLimit: self.configuration.preparedLimit, renewsPlans: true)
            try session.open()
            guard self.machine.dialled(slot) == .serve else { return session.end("nobody needs it any more") }
            session.owner = self
            self.seats[slot].session = session
            if self.configuration.knowsSessions { session.askForStart() }
            self.route.first = target
            self.totals.connectedTotal += 1
            self.noteSuccess()
            self.logger.debug("postgres connected", metadata: ["postgres.backend": "\(session.backendID)"])
            self.scheduleReplacement(slot, session)
            self.serve(slot)
        } catch {
            self.totals.connectFailedTotal += 1
            self.noteFailure(error.connectionFailure)
            self.perform(self.machine.dialFailed(slot, jitter: .random(in: 0...1, using: &self.random)), slot)
        }
    }

    /// Each new reason once: a server that is away would fill the log.
    func noteFailure(_ reason: String) {
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

    func perform(_ decision: PoolStateMachine<PendingStatement>.OnLost, _ slot: Int) {
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

    func close(_ slot: Int, _ why: PostgresCloseReason, _ reason: String) {
        guard let session = self.seats[slot].session else { return }
        self.seats[slot].closing = why
        session.end(reason)
    }

    // MARK: Replacing

    /// After a failover the old server may still take connections: all of ours go and look for the other one.
    func leaveReadOnlyServer() {
        self.machine.readOnlyFound(at: self.loop.now)
        for slot in self.seats.indices where self.seats[slot].session != nil {
            let decision = self.machine.retired(slot)
            if self.seats[slot].closing == nil { self.seats[slot].closing = .readOnly }
            if decision == .close { self.close(slot, .readOnly, "its server can only be read") }
        }
    }

    private func scheduleReplacement(_ slot: Int, _ session: PipelineSession) {
        guard let age = self.configuration.maximumAge else { return }
        self.replace(slot, session, after: age * Double.random(in: 0.75...1, using: &self.random))
    }

    private func replace(_ slot: Int, _ session: PipelineSession, after delay: Duration) {
        self.loop.schedule(after: delay) { [weak self, weak session] in
            guard let self, let session, self.seats[slot].session === session else { return }
            switch self.machine.aged(slot) {
            case .close: self.close(slot, .aged, "it reached its maximum age")
            case .drain: self.seats[slot].closing = .aged
            case .later:
                self.replace(slot, session, after: .seconds(Double.random(in: 0.5...1, using: &self.random)))
            case .none: break
            }
        }
    }

    // MARK: Trying

    func scheduleHealthCheck() {
        self.loop.schedule(after: self.configuration.healthCheckInterval) { [weak self] in
            guard let self, self.machine.phase == .running else { return }
            for slot in self.seats.indices { self.tryIfSilent(slot) }
            self.scheduleHealthCheck()
        }
    }

    private func tryIfSilent(_ slot: Int) {
        let now = ContinuousClock.now
        guard let session = self.seats[slot].session,
            session.lastReceived.duration(to: now) >= self.configuration.healthCheckInterval / 2,
            self.machine.probed(slot)
        else { return }
        let probe = PendingStatement(
            "select 1", due: now.advanced(by: self.configuration.healthCheckLimit))
        self.seats[slot].probe = probe
        self.totals.probedTotal += 1
        self.deadlines.add(probe)
        self.send(probe, on: slot)
    }

    /// A sent statement got no answer in time: its connection gets nothing new until it says something.
    func overdue(_ pending: PendingStatement) {
        let slot = pending.slot
        self.machine.overdue(slot)
        guard !self.seats[slot].isStallWatched, let session = self.seats[slot].session else { return }
        self.seats[slot].isStallWatched = true
        self.watchForStall(slot, session, after: self.configuration.stallLimit)
    }

    /// A connection that says nothing at all for the limit is dead, whatever its socket claims.
    ///
    /// Unless somebody still waits for the statement whose turn it is: that one may take its time.
    private func watchForStall(_ slot: Int, _ session: PipelineSession, after delay: Duration) {
        self.loop.schedule(after: delay) { [weak self, weak session] in
            guard let self, let session, self.seats[slot].session === session else { return }
            let limit = self.configuration.stallLimit
            guard let head = session.inFlight.first else {
                self.seats[slot].isStallWatched = false
                return
            }
            let silence = session.lastReceived.duration(to: ContinuousClock.now)
            if head.place != .finished {
                self.watchForStall(slot, session, after: limit)
            } else if silence >= limit {
                self.close(slot, .stalled, "the server has not said anything since a statement's deadline")
            } else {
                self.watchForStall(slot, session, after: limit - silence)
            }
        }
    }
}
