import Logging
import ReadinessLoop

/// The making of one connection that stands for itself, within one deadline for all hosts; loop's thread
/// only.
final class ConnectionDial: @unchecked Sendable {
    private let targets: ConnectionTargets
    private let hostDeadline: Duration
    private let due: ContinuousClock.Instant?
    private let logger: Logger
    private var dial: Dial?
    private var timer: LoopTimer?
    private var isGivenUp = false
    private var completion: ((Result<ConnectionHandle, PostgresError>) -> Void)?

    /// - Parameter due: for all hosts together; nil leaves it to the deadline of each.
    init(
        _ targets: ConnectionTargets, hostDeadline: Duration, due: ContinuousClock.Instant?, logger: Logger
    ) {
        self.targets = targets
        self.hostDeadline = hostDeadline
        self.due = due
        self.logger = logger
    }

    func start(
        on loop: ReadinessLoop, _ completion: @escaping (Result<ConnectionHandle, PostgresError>) -> Void
    ) {
        self.completion = completion
        if self.isGivenUp { return self.finish(.failure(.didNotRun(.cancelled))) }
        if let due {
            self.timer = loop.schedule(at: due) { [weak self] in self?.giveUp(.deadline(nil)) }
        }
        let dial = Dial(
            loop: loop, targets: self.targets, first: 0, hostDeadline: self.hostDeadline,
            onNotice: { [logger] in logger.debug("postgres notice", metadata: ["postgres.notice": "\($0)"]) },
            completion: { [weak self] result in self?.finish(result.map(\.handle)) })
        self.dial = dial
        dial.start()
    }

    /// May come before `start`.
    func giveUp(_ reason: PostgresError.NotRunReason) {
        self.isGivenUp = true
        self.dial?.abandon()
        self.finish(.failure(.didNotRun(reason)))
    }

    private func finish(_ result: Result<ConnectionHandle, PostgresError>) {
        self.timer?.cancel()
        self.timer = nil
        self.dial = nil
        let completion = self.completion
        self.completion = nil
        completion?(result)
    }
}
