import ReadinessLoop

/// A statement that somebody waits for: from the call until the answer, or until nobody waits any more.
///
/// Made on the caller's task, then touched on the loop's thread only.
@safe
final class PendingStatement: DueEntry, @unchecked Sendable {
    typealias Answer = Result<PostgresRows, PostgresError>

    enum Place {
        /// On its way to the loop. Goes to `waiting`, `sent` or `finished`.
        case given
        /// In a queue of the pool. Goes to `sent` or `finished`.
        case waiting
        /// In the pipeline of a session. Goes to `finished`.
        case sent
        /// Its caller has an answer, though the pipeline may still hold its place.
        case finished
    }

    let statement: PostgresStatement
    let due: ContinuousClock.Instant
    var heapPosition: Int?
    var heapOrder: UInt64 = 0

    var place = Place.given
    /// Where the session that carries it stands in the pool.
    var slot = 0
    /// The driver's own: nobody is told when it ends.
    let isHousekeeping: Bool
    /// What is prepared together with it, until the server has answered to that.
    var prepares: StatementCache.Key?
    /// The prepared statement that it was sent with.
    var uses: StatementCache.Key?
    var wasSentAgain = false
    /// Its task was cancelled before the statement came to the loop, which answers it on arrival.
    var isCancelled = false
    var outcome = StatementOutcome()
    /// What the caller wants to know when the answer is lost; both are called on the loop's thread.
    let watch: LostAnswerWatch?
    /// The session that carries it.
    weak var carrier: PipelineSession?
    private var continuation: UnsafeContinuation<Answer, Never>?

    init(
        _ statement: PostgresStatement, due: ContinuousClock.Instant, isHousekeeping: Bool = false,
        watch: LostAnswerWatch? = nil
    ) {
        self.watch = watch
        self.statement = statement
        self.due = due
        self.isHousekeeping = isHousekeeping
    }

    /// Resumes the caller; later answers find nobody.
    func finish(_ answer: Answer) {
        guard self.place != .finished else { return }
        self.place = .finished
        if let watch = self.watch, case .failure(.mayHaveRun) = answer, let session = self.carrier?.session {
            watch.lost(session)
        }
        guard let continuation = unsafe self.continuation else { return }
        unsafe self.continuation = nil
        unsafe continuation.resume(returning: answer)
    }

    /// The error for a caller who gives up now: whether it ran depends on how far it came.
    func givenUp(notSent: PostgresError.NotRunReason, sent: PostgresError.LostAnswerReason) -> PostgresError {
        self.place == .sent ? .mayHaveRun(sent) : .didNotRun(notSent)
    }
}

/// Told where a statement may have run whose caller has no answer, and that the server has answered it after all.
package struct LostAnswerWatch: Sendable {
    /// Before the caller is resumed.
    package let lost: @Sendable (PostgresSession) -> Void
    /// Nothing of it is on its way any more.
    package let settled: @Sendable () -> Void

    package init(
        lost: @escaping @Sendable (PostgresSession) -> Void, settled: @escaping @Sendable () -> Void
    ) {
        self.lost = lost
        self.settled = settled
    }
}

/// Where statements can be handed to, from any task.
protocol StatementTarget: AnyObject, Sendable {
    func submit(_ pending: PendingStatement)
    /// The task was cancelled; may come before `submit`.
    func cancel(_ pending: PendingStatement)
}

extension StatementTarget {
    /// Hands a statement over and waits for its answer.
    ///
    func run(
        _ statement: PostgresStatement, deadline: Duration, watch: LostAnswerWatch? = nil
    ) async throws(PostgresError) -> PostgresRows {
        if let fault = statement.fault { throw .didNotRun(.invalid(fault)) }
        // The cancellation takes another way to the loop and might come after the statement was sent.
        if Task.isCancelled { throw .didNotRun(.cancelled) }
        let pending = PendingStatement(
            statement, due: ContinuousClock.now.advanced(by: deadline), watch: watch)
        let answer = await withTaskCancellationHandler {
            // Unsafe saves an allocation per statement; `finish` resumes once, and every path ends in it.
            unsafe await withUnsafeContinuation { continuation in
                unsafe pending.wait(with: continuation)
                self.submit(pending)
            }
        } onCancel: {
            self.cancel(pending)
        }
        return try answer.get()
    }

    /// The same for statements that must come to their end even in a cancelled task: COMMIT, ROLLBACK.
    func runToItsEnd(
        _ statement: PostgresStatement, deadline: Duration
    ) async throws(PostgresError) -> PostgresRows {
        let pending = PendingStatement(statement, due: ContinuousClock.now.advanced(by: deadline))
        let answer = unsafe await withUnsafeContinuation { continuation in
            unsafe pending.wait(with: continuation)
            self.submit(pending)
        }
        return try answer.get()
    }
}

extension PendingStatement {
    fileprivate func wait(with continuation: UnsafeContinuation<Answer, Never>) {
        unsafe self.continuation = continuation
    }
}

extension PostgresStatement {
    /// Why it cannot be sent at all; nil when it can.
    var fault: String? {
        if self.sql.utf8.contains(0) { return "SQL cannot contain a NUL character" }
        return self.parameters.fault
    }
}
