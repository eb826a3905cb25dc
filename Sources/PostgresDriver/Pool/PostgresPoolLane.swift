import ReadinessLoop
import Synchronization

/// One lane of a running pool: the same calls as the pool, and never a wait behind another lane.
package final class PostgresPoolLane: Sendable {
    package let lane: PostgresLane
    private let core: PoolCore
    private let deadline: Duration
    private let loop: ReadinessLoop
    private let given = Mutex<[PendingStatement]>([])

    init(_ lane: PostgresLane, core: PoolCore, deadline: Duration, loop: ReadinessLoop) {
        self.lane = lane
        self.core = core
        self.deadline = deadline
        self.loop = loop
    }

    /// As ``PostgresPool/query(_:deadline:)``, on this lane's connections.
    package func query(
        _ statement: PostgresStatement, deadline: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await self.run(statement, deadline: deadline ?? self.deadline)
    }

    /// The same, and says in which session the statement may have run when its answer is lost.
    ///
    /// - Parameter watch: told before the error is thrown. The session's start is known where the pool
    ///   ``PostgresPoolConfiguration/knowsSessions``, once the server has told.
    package func query(
        _ statement: PostgresStatement, deadline: Duration? = nil, watch: LostAnswerWatch
    ) async throws(PostgresError) -> PostgresRows {
        try await self.run(statement, deadline: deadline ?? self.deadline, watch: watch)
    }

    package func statistics() async -> PostgresPoolStatistics {
        await withCheckedContinuation { continuation in
            let isRunning = self.loop.execute { continuation.resume(returning: self.core.statistics) }
            if !isRunning { continuation.resume(returning: PostgresPoolStatistics()) }
        }
    }

    func start() { self.loop.execute { self.core.start() } }

    func stop() async {
        await withCheckedContinuation { continuation in
            let isRunning = self.loop.execute { self.core.stop { continuation.resume() } }
            if !isRunning { continuation.resume() }
        }
    }
}

extension PostgresPoolLane: StatementTarget {
    /// The loop is woken for the first of those that come while it is busy; it takes all of them at once.
    func submit(_ pending: PendingStatement) {
        if self.loop.isCurrent { return self.core.submit(pending) }
        let isFirst = self.given.withLock { given in
            given.append(pending)
            return given.count == 1
        }
        guard isFirst else { return }
        if !self.loop.execute({ self.takeGiven() }) { self.refuseGiven() }
    }

    func cancel(_ pending: PendingStatement) {
        self.loop.execute { self.core.cancel(pending) }
    }

    private func takeGiven() {
        for pending in self.swapGiven() { self.core.submit(pending) }
    }

    private func refuseGiven() {
        for pending in self.swapGiven() { pending.finish(.failure(.didNotRun(.closed))) }
    }

    private func swapGiven() -> [PendingStatement] {
        self.given.withLock { given in
            var taken: [PendingStatement] = []
            swap(&given, &taken)
            return taken
        }
    }
}
