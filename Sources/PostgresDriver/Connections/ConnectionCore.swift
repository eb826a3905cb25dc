import DequeModule
import Logging
import ReadinessLoop

/// What belongs to one connection that stands for itself; touched on the loop's thread only.
final class ConnectionCore: @unchecked Sendable {
    /// Statements that may be in flight, and statements that may wait for a cancellation's end.
    static let depthLimit = 256
    /// For the server to end what was cancelled; after that the connection is given up.
    static let cancelLimit: Duration = .seconds(2)
    /// Until the request is sent once more, should the first have come before its statement.
    private static let cancelPause: Duration = .milliseconds(250)

    private enum Waiting {
        case statement(PendingStatement, asScript: Bool)
        case exchange(Exchange)
    }

    private let loop: ReadinessLoop
    private let deadlines: DeadlineWatch
    private var dialling: ConnectionDial?
    private var session: PipelineSession?
    private var course = ExclusiveCourse(limit: ConnectionCore.depthLimit)
    private var exchange: Exchange?
    private var waiting: Deque<Waiting> = []
    private var settling: LoopTimer?
    private var transactionLimit: LoopTimer?
    private var endWaiters = EndWaiters()
    var onNotification: ((PostgresNotification) -> Void)?

    init(loop: ReadinessLoop) {
        self.loop = loop
        self.deadlines = DeadlineWatch(loop: loop)
        self.deadlines.onDue = { [weak self] in
            self?.giveUp($0, $0.givenUp(notSent: .deadline(nil), sent: .deadline))
        }
    }

    // MARK: Beginning and end

    func connect(_ dialling: ConnectionDial, _ done: @escaping (PostgresError?) -> Void) {
        self.dialling = dialling
        dialling.start(on: self.loop) { result in done(self.dialled(result)) }
    }

    func cancelConnecting() { self.dialling?.giveUp(.cancelled) }

    private func dialled(_ result: Result<ConnectionHandle, PostgresError>) -> PostgresError? {
        self.dialling = nil
        do throws(PostgresError) {
            let handle = try result.get()
            handle.onNotification = self.onNotification
            let session = PipelineSession(handle, loop: self.loop, cacheLimit: 64, renewsPlans: false)
            try session.open()
            session.owner = self
            self.session = session
            return nil
        } catch {
            return error
        }
    }

    /// Ends the connection, and whatever the server still does for it: locks would live on until its end.
    func close(because reason: String = "closed by its owner") {
        guard let session = self.session else { return }
        if self.exchange != nil || !session.inFlight.isEmpty { CancelRequest(session.handle)?.send {} }
        session.end(reason)
    }

    /// Calls `done` once: with true when the connection has ended, with false when it lives on after a while.
    func waitForEnd(_ limit: Duration, _ done: @escaping (Bool) -> Void) -> EndWaiters.Ticket? {
        guard self.session != nil else {
            done(true)
            return nil
        }
        return self.endWaiters.add(loop: self.loop, limit: limit, done)
    }

    func stopWaiting(_ ticket: EndWaiters.Ticket?) { self.endWaiters.finish(ticket, hasEnded: false) }

    /// Closes the connection at that time, unless `transactionEnded` comes first.
    func transactionBegan(endsBy due: ContinuousClock.Instant) {
        self.transactionLimit?.cancel()
        self.transactionLimit = self.loop.schedule(at: due) { [weak self] in
            self?.close(because: "its transaction's deadline passed")
        }
    }

    func transactionEnded() {
        self.transactionLimit?.cancel()
        self.transactionLimit = nil
    }

    // MARK: Statements

    func submit(_ pending: PendingStatement, asScript: Bool) {
        if pending.isCancelled { return pending.finish(.failure(.didNotRun(.cancelled))) }
        guard let session = self.session else { return pending.finish(.failure(.didNotRun(.closed))) }
        switch self.course.given(asScript ? .script : .statement, load: self.load(of: session)) {
        case .send:
            self.deadlines.add(pending)
            if asScript { session.send(script: pending) } else { session.send(pending) }
        case .wait:
            pending.place = .waiting
            self.deadlines.add(pending)
            self.waiting.append(.statement(pending, asScript: asScript))
        case .refuse(let reason):
            pending.finish(.failure(.didNotRun(reason)))
        }
    }

    func cancel(_ pending: PendingStatement) {
        guard pending.place != .given else {
            pending.isCancelled = true
            return
        }
        self.giveUp(pending, pending.givenUp(notSent: .cancelled, sent: .cancelled))
    }

    private func giveUp(_ pending: PendingStatement, _ error: PostgresError) {
        guard pending.place != .finished else { return }
        if pending.place == .waiting {
            self.waiting.removeAll { if case .statement(let one, _) = $0 { one === pending } else { false } }
        }
        self.finish(pending, .failure(error))
        self.considerCancel()
    }

    private func finish(_ pending: PendingStatement, _ answer: PendingStatement.Answer) {
        self.deadlines.remove(pending)
        pending.finish(answer)
    }

    private func load(of session: PipelineSession) -> ExclusiveCourse.Load {
        ExclusiveCourse.Load(
            inFlight: session.inFlight.count,
            live: session.inFlight.count { $0.place != .finished && !$0.isHousekeeping },
            waiting: self.waiting.count, isScriptRunning: session.mode == .script)
    }

    // MARK: Works

    func begin(_ exchange: Exchange) {
        guard exchange.accepted(by: self, loop: self.loop) else { return }
        guard let session = self.session else { return exchange.refuse(.closed) }
        switch self.course.given(.work, load: self.load(of: session)) {
        case .send: self.lend(session, to: exchange)
        case .wait: self.waiting.append(.exchange(exchange))
        case .refuse(let reason): exchange.refuse(reason)
        }
    }

    private func lend(_ session: PipelineSession, to exchange: Exchange) {
        self.exchange = exchange
        self.course.lent()
        exchange.start(on: session)
    }

    // MARK: Cancelling

    private func considerCancel() {
        // What the driver asks on its own is short, and nobody has given it up.
        guard let session = self.session, session.inFlight.contains(where: { !$0.isHousekeeping }),
            self.load(of: session).live == 0
        else { return }
        self.perform(self.course.allGivenUp())
    }

    private func perform(_ change: ExclusiveCourse.OnChange) {
        switch change {
        case .none: break
        case .cancel: self.sendCancel()
        case .cancelAgainSoon:
            self.loop.schedule(after: Self.cancelPause) { [weak self] in
                guard let self, self.session != nil else { return }
                self.perform(self.course.cancelIsDueAgain())
            }
        case .goOn:
            self.settling?.cancel()
            self.settling = nil
            self.serveWaiting()
        }
    }

    private func sendCancel() {
        guard let session = self.session else { return }
        guard let request = CancelRequest(session.handle) else {
            return session.end("no request to cancel could be made")
        }
        if self.settling == nil {
            self.settling = self.loop.schedule(after: Self.cancelLimit) { [weak session] in
                session?.end("the server did not end what was cancelled within \(Self.cancelLimit)")
            }
        }
        request.send { [weak self, loop] in
            loop.execute { [weak self] in
                guard let self, self.session != nil else { return }
                self.perform(self.course.cancelEnded())
            }
        }
    }

    private func serveWaiting() {
        while let session = self.session, session.mode == .pipeline, let next = self.waiting.popFirst() {
            let load = self.load(of: session)
            switch next {
            case .statement(let pending, let asScript):
                guard !asScript || load.inFlight == 0 else { return self.waiting.prepend(next) }
                if asScript { session.send(script: pending) } else { session.send(pending) }
            case .exchange(let exchange):
                guard load.inFlight == 0 else { return self.waiting.prepend(next) }
                self.lend(session, to: exchange)
            }
        }
    }
}

extension ConnectionCore: PipelineSessionOwner {
    func answered(
        _ pending: PendingStatement, with answer: PendingStatement.Answer, on session: PipelineSession
    ) {
        self.finish(pending, answer)
        guard session.mode != .ended else { return }
        self.perform(self.course.answered(isIdle: session.inFlight.isEmpty))
        self.considerCancel()
    }

    func cleaned(_ session: PipelineSession) {
        self.perform(self.course.answered(isIdle: session.inFlight.isEmpty))
    }

    func ended(_ session: PipelineSession, because reason: String) {
        self.session = nil
        self.exchange = nil
        self.settling?.cancel()
        self.transactionEnded()
        let waiting = self.waiting
        self.waiting = []
        for one in waiting {
            switch one {
            case .statement(let pending, _):
                self.finish(pending, .failure(.didNotRun(.notConnected(reason))))
            case .exchange(let exchange): exchange.refuse(.notConnected(reason))
            }
        }
        self.deadlines.stop()
        self.endWaiters.finishAll()
    }
}

extension ConnectionCore: ExchangeOwner {
    func givenUp(_ exchange: Exchange, mayCancel: Bool) {
        guard exchange === self.exchange else { return }
        if mayCancel {
            self.perform(self.course.allGivenUp())
        } else {
            self.course.givenUpWithoutCancel()
        }
    }

    func over(_ exchange: Exchange) {
        self.waiting.removeAll { if case .exchange(let one) = $0 { one === exchange } else { false } }
        guard exchange === self.exchange else { return }
        self.exchange = nil
        guard let session = self.session, session.mode == .pipeline else { return }
        self.perform(self.course.answered(isIdle: true))
    }
}
