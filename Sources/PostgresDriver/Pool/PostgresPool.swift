package import Logging
package import ReadinessLoop
import ServiceLifecycle
import Synchronization

/// A few connections that any number of tasks share.
///
/// Every statement is a transaction of its own: they travel in pipelines, many at a time, and an error
/// touches no neighbour. Statements wait in the order in which they came, for a bounded time, in a bounded
/// queue. Those that were given before `run` began, or while no server is there, wait for it within their
/// deadline.
///
/// Tasks anywhere may call it. One that runs on the pool's own loop (`LoopTaskExecutor`) needs no change of
/// threads for it, which halves the time of a statement that travels alone.
///
/// For transactions, scripts and everything else that has a state on the connection there is
/// `withExclusiveConnection`.
package final class PostgresPool: Service {
    package let configuration: PostgresPoolConfiguration
    let loop: ReadinessLoop
    let logger: Logger
    let core: PoolCore
    private let given = Mutex<[PendingStatement]>([])
    let exclusives: ExclusivePlaces

    /// Checks the configuration and connects to nothing yet.
    ///
    /// - Throws: `didNotRun(.invalid)` when the connection string is not valid.
    package init(
        _ configuration: PostgresPoolConfiguration, loop: ReadinessLoop, logger: Logger
    ) throws(PostgresError) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        let targets = try ConnectionTargets(configuration.server)
        self.core = PoolCore(configuration, targets: targets, loop: loop, logger: logger)
        self.exclusives = ExclusivePlaces(limit: configuration.exclusiveConnections, loop: loop)
    }

    /// Keeps the connections until the task is cancelled or its service group shuts down.
    ///
    /// Then statements that were accepted may end, within `shutdownLimit`; new ones are refused.
    package func run() async {
        self.loop.execute { self.core.start() }
        // Throws when the task is cancelled, which ends the pool all the same.
        try? await gracefulShutdown()
        await withCheckedContinuation { continuation in
            let isRunning = self.loop.execute { self.core.stop { continuation.resume() } }
            if !isRunning { continuation.resume() }
        }
    }

    /// Runs one statement and waits for the server to have finished it: its transaction is over then.
    ///
    /// A cancelled task stops waiting at once; a statement that was sent is left to the server's
    /// `statement_timeout`.
    ///
    /// - Parameter deadline: from now until the answer, waiting included; the configured one if nil.
    package func query(
        _ statement: PostgresStatement, deadline: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await self.run(statement, deadline: deadline ?? self.configuration.deadline)
    }

    package func statistics() async -> PostgresPoolStatistics {
        await withCheckedContinuation { continuation in
            let isRunning = self.loop.execute { continuation.resume(returning: self.core.statistics) }
            if !isRunning { continuation.resume(returning: PostgresPoolStatistics()) }
        }
    }
}

extension PostgresPool: StatementTarget {
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

extension PoolCore {
    var statistics: PostgresPoolStatistics {
        var statistics = self.totals
        statistics.connections = self.sessions.count { $0 != nil }
        statistics.ready = self.machine.readyCount
        statistics.inFlight = self.machine.inFlight
        statistics.waiting = self.machine.waiting.count
        return statistics
    }
}
