import Logging
import ReadinessLoop

/// What belongs to one connection that stands for itself; touched on the loop's thread only.
final class ConnectionCore: PipelineSessionOwner, @unchecked Sendable {
    /// Statements that may be in flight; callers who share one connection share this bound.
    static let depthLimit = 256

    private let loop: ReadinessLoop
    private let deadlines: DeadlineWatch
    private var session: PipelineSession?
    private var dial: Dial?

    init(loop: ReadinessLoop) {
        self.loop = loop
        self.deadlines = DeadlineWatch(loop: loop)
    }

    func connect(
        _ targets: ConnectionTargets, hostDeadline: Duration, logger: Logger,
        _ done: @escaping (PostgresError?) -> Void
    ) {
        self.deadlines.onDue = { [weak self] in
            self?.finish($0, .failure($0.givenUp(notSent: .deadline(nil), sent: .deadline)))
        }
        let dial = Dial(
            loop: self.loop, targets: targets, first: 0, hostDeadline: hostDeadline,
            onNotice: { logger.debug("postgres notice", metadata: ["postgres.notice": "\($0)"]) },
            completion: { result in done(self.dialled(result)) })
        self.dial = dial
        dial.start()
    }

    private func dialled(
        _ result: Result<(handle: ConnectionHandle, target: Int), PostgresError>
    ) -> PostgresError? {
        self.dial = nil
        do throws(PostgresError) {
            let session = PipelineSession(
                try result.get().handle, loop: self.loop, cacheLimit: 64, renewsPlans: false)
            try session.open()
            session.owner = self
            self.session = session
            return nil
        } catch {
            return error
        }
    }

    func submit(_ pending: PendingStatement, asScript: Bool) {
        if pending.isCancelled { return pending.finish(.failure(.didNotRun(.cancelled))) }
        guard let session = self.session else { return pending.finish(.failure(.didNotRun(.closed))) }
        guard session.mode == .pipeline, !asScript || session.inFlight.isEmpty else {
            let reason = "a script needs the connection for itself"
            return pending.finish(.failure(.didNotRun(.invalid(reason))))
        }
        guard session.inFlight.count < Self.depthLimit else {
            return pending.finish(.failure(.didNotRun(.queueFull)))
        }
        self.deadlines.add(pending)
        if asScript { session.send(script: pending) } else { session.send(pending) }
    }

    func cancel(_ pending: PendingStatement) {
        guard pending.place != .given else {
            pending.isCancelled = true
            return
        }
        self.finish(pending, .failure(pending.givenUp(notSent: .cancelled, sent: .cancelled)))
    }

    func close() {
        self.session?.end("closed by its owner")
        self.session = nil
        self.deadlines.stop()
    }

    func answered(
        _ pending: PendingStatement, with answer: PendingStatement.Answer, on session: PipelineSession
    ) {
        self.finish(pending, answer)
    }

    func ended(_ session: PipelineSession, because reason: String) {
        self.session = nil
    }

    private func finish(_ pending: PendingStatement, _ answer: PendingStatement.Answer) {
        self.deadlines.remove(pending)
        pending.finish(answer)
    }
}
