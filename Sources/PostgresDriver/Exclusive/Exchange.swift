import CLibPQ
import ReadinessLoop

/// Who lends its session to an exchange, and gets it back.
protocol ExchangeOwner: AnyObject {
    /// Nobody waits for it any more; the server may still be at it.
    func givenUp(_ exchange: Exchange, mayCancel: Bool)
    /// The session is the owner's again, or gone.
    func over(_ exchange: Exchange)
}

/// Performs one work on a session that is lent to it: sends, takes answers, waits where the consumer is slow;
/// loop's thread only.
final class Exchange: SessionBorrower, @unchecked Sendable {
    enum Phase {
        /// Not begun. Goes to `running` or `over`.
        case given
        /// Goes to `discarding` or `over`.
        case running
        /// Given up: what still arrives is thrown away until the server is ready. Goes to `over`.
        case discarding
        case over
    }

    private enum Copy { case none, toServer, fromServer }

    let work: any ExclusiveWork
    private let due: ContinuousClock.Instant
    private(set) var phase = Phase.given
    /// Its caller gave up before it came to the loop.
    private var isCancelled = false
    private weak var owner: (any ExchangeOwner)?
    private var session: PipelineSession?
    private var timer: LoopTimer?
    private var outcome = StatementOutcome()
    private var copy = Copy.none
    private var isInTransaction = false
    private var isPaused = false
    private var isFlushed = true

    init(_ work: any ExclusiveWork, due: ContinuousClock.Instant) {
        self.work = work
        self.due = due
    }

    // MARK: The course

    /// The deadline counts from here, though the connection may not be free yet.
    ///
    /// - Returns: false when it is over already.
    func accepted(by owner: any ExchangeOwner, loop: ReadinessLoop) -> Bool {
        guard !self.isCancelled else {
            self.refuse(.cancelled)
            return false
        }
        self.owner = owner
        self.timer = loop.schedule(at: self.due) { [weak self] in self?.deadlinePassed() }
        return true
    }

    func refuse(_ reason: PostgresError.NotRunReason) {
        guard self.phase == .given else { return }
        self.phase = .over
        self.stopTimer()
        self.work.gaveUp(.didNotRun(reason))
    }

    func start(on session: PipelineSession) {
        self.isInTransaction = session.handle.isInTransaction
        self.phase = .running
        self.session = session
        guard session.lend(to: self, inPipeline: self.work.kind == .rows) else {
            return self.lost(because: session.handle.errorMessage)
        }
        guard self.work.send(on: session.handle) else { return session.end(session.handle.errorMessage) }
        self.pushOut()
    }

    /// The caller's task was cancelled; may come before `accepted`.
    func cancel() {
        self.isCancelled = true
        self.giveUp(.cancelled)
    }

    /// The caller wants no more of it.
    ///
    /// A cancellation would also end a transaction that it is part of, so there
    /// the rest is read and thrown away, until the deadline.
    func leave() {
        switch self.phase {
        case .given: self.giveUp(.cancelled)
        case .running: self.discard(telling: self.work.error(givingUp: .cancelled), isLeaving: true)
        case .discarding, .over: break
        }
    }

    private func giveUp(_ reason: PostgresError.LostAnswerReason) {
        switch self.phase {
        case .given:
            guard self.owner != nil else { return }
            self.refuse(reason.notRun)
            self.owner?.over(self)
        case .running: self.discard(telling: self.work.error(givingUp: reason), isLeaving: false)
        case .discarding, .over: break
        }
    }

    private func deadlinePassed() {
        self.timer = nil
        if self.phase == .discarding, self.isInTransaction {
            self.session?.end("the rest of an answer that nobody wanted took too long")
        } else {
            self.giveUp(.deadline)
        }
    }

    private func discard(telling error: PostgresError, isLeaving: Bool) {
        self.phase = .discarding
        self.work.gaveUp(error)
        self.endCopyToServer()
        self.owner?.givenUp(self, mayCancel: !(isLeaving && self.isInTransaction))
        self.pushOut()
        self.pump()
    }

    private func endCopyToServer() {
        guard self.copy == .toServer, let session = self.session else { return }
        self.copy = .none
        if !session.handle.putCopyEnd(error: "the client gave it up") {
            session.end(session.handle.errorMessage)
        }
    }

    private func stopTimer() {
        self.timer?.cancel()
        self.timer = nil
    }

    private func finish(_ answer: Result<PostgresRows, PostgresError>) {
        let wasRunning = self.phase == .running
        self.phase = .over
        self.session = nil
        self.stopTimer()
        if wasRunning { self.work.ended(answer) }
        self.owner?.over(self)
    }

    func lost(because reason: String) {
        self.finish(.failure(self.outcome.whenLost(reason)))
    }

    // MARK: The socket

    func ready(_ readiness: Readiness) {
        if readiness.hasRoom {
            self.pushOut()
            // Libpq may have read while it could not write, so that there is no news of it from the socket.
            self.pump()
        }
        guard readiness.hasInput, let session = self.session else { return }
        if self.isPaused {
            if readiness.contains(.hungUp) { session.leaveSocketAlone() }
        } else {
            self.receive(from: session)
        }
    }

    private func receive(from session: PipelineSession) {
        let isAlive = session.handle.consumeInput()
        let message = isAlive ? "" : session.handle.errorMessage
        self.pump()
        guard self.session != nil else { return }
        session.handle.dropNotifications()
        if !isAlive { session.end(message) }
    }

    /// Writes what there is to write, until the server is behind.
    private func pushOut() {
        while let session = self.session {
            switch session.handle.flush() {
            case .failed:
                // The server may have said why: reading finds that.
                let message = session.handle.errorMessage
                self.receive(from: session)
                return session.end(message)
            case .partly:
                self.isFlushed = false
                return self.listen()
            case .everything:
                self.isFlushed = true
            }
            guard self.phase == .running, self.copy == .toServer else { return self.listen() }
            switch self.work.mayWrite(on: session.handle) {
            case .nothing: return self.listen()
            case .some: break
            case .end: self.copy = .none
            case .failed: return session.end(session.handle.errorMessage)
            }
        }
    }

    private func listen() {
        var readiness: Readiness = self.isPaused ? [] : .readable
        if !self.isFlushed { readiness.insert(.writable) }
        self.session?.wait(for: readiness)
    }

    // MARK: Answers

    /// There is room for more, or something to write.
    func proceed() {
        guard let session = self.session else { return }
        if self.copy == .toServer, self.isFlushed, self.phase == .running { return self.pushOut() }
        if session.mode == .lent { self.pump() }
    }

    /// Takes what has arrived, without ever waiting, for as long as the consumer has room.
    private func pump() {
        var emptyInRow = 0
        while let session = self.session {
            if self.phase == .running, self.work.isFull { return self.pause(true) }
            if self.copy == .fromServer {
                let taken =
                    self.phase == .running
                    ? self.work.takeCopyData(from: session.handle) : session.handle.dropCopyData()
                if taken == .needsInput { break }
                if taken == .end { self.copy = .none }
                continue
            }
            // Asked even during a COPY to the server, because it hands over what the server remarks.
            if session.handle.isBusy || self.copy == .toServer { break }
            let result = session.handle.nextResult()
            guard self.isReady(after: result) else {
                emptyInRow = result == nil ? emptyInRow + 1 : 0
                if emptyInRow > 2 { return session.end("the server's answers do not match what was asked") }
                if let result { self.take(result) }
                continue
            }
            session.giveBack()
            return self.finish(self.outcome.whenReady())
        }
        self.pause(false)
        if self.phase == .running { self.work.inputPaused() }
    }

    /// Whether the server is done; in a pipeline each statement's results end with nil too.
    private func isReady(after result: ResultHandle?) -> Bool {
        self.work.kind == .rows ? result?.status == PGRES_PIPELINE_SYNC : result == nil
    }

    private func pause(_ isPaused: Bool) {
        self.isPaused = isPaused
        self.listen()
    }

    private func take(_ result: ResultHandle) {
        switch result.status {
        case PGRES_SINGLE_TUPLE:
            if self.phase == .running { self.work.arrived(row: result) }
        case PGRES_COPY_IN: self.begin(.toServer, as: .copyIn)
        case PGRES_COPY_OUT: self.begin(.fromServer, as: .copyOut)
        default:
            self.outcome.add(result)
            guard self.outcome.endsConnection || self.outcome.localFailure != nil else { return }
            self.session?.end(self.outcome.localFailure ?? result.errorMessage.trimmed)
        }
    }

    private func begin(_ copy: Copy, as kind: ExclusiveKind) {
        self.copy = copy
        if self.phase == .discarding {
            self.endCopyToServer()
            return self.pushOut()
        }
        guard self.work.kind == kind else {
            let what = copy == .toServer ? "a COPY to the server" : "a COPY from the server"
            let error = PostgresError.unreadable("the statement is \(what)")
            guard self.work.kind == .rows else { return self.discard(telling: error, isLeaving: false) }
            // A COPY in a pipeline has no way out that libpq promises.
            self.phase = .discarding
            self.work.gaveUp(error)
            self.session?.end("a COPY came where rows were expected")
            return
        }
        if copy == .toServer { self.pushOut() }
    }
}
