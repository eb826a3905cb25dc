package import Logging
package import ReadinessLoop

/// One connection of its own: for transactions, scripts, streams, COPY, and whatever keeps a state on the
/// server.
///
/// Several tasks may use it at once, then their statements share its pipeline; a transaction, a script, a
/// stream or a COPY needs it for itself, and who finds it busy with one gets `didNotRun(.invalid)` at once.
///
/// A cancelled task and a passed deadline get their answer at once, and the server is asked to end what it
/// does, provided that nobody else's statement is in flight. The next statement is sent only when that is
/// over, so that a late cancellation cannot hit it. A server that does not let go within 2 s loses the
/// connection.
///
/// It does not reconnect: once a call throws `mayHaveRun(.connectionLost)` or `didNotRun(.closed)`, make a new
/// one.
package final class PostgresConnection: Sendable {
    /// For statements that name no deadline themselves.
    package let deadline: Duration
    let loop: ReadinessLoop
    let core: ConnectionCore

    private init(loop: ReadinessLoop, deadline: Duration) {
        self.loop = loop
        self.deadline = deadline
        self.core = ConnectionCore(loop: loop)
    }

    deinit {
        let core = self.core
        self.loop.execute { core.close() }
    }

    /// Connects to the first host that will have us; each has `connectDeadline`.
    ///
    /// - Parameters:
    ///   - deadline: for statements that name none.
    ///   - limit: for connecting, all hosts together; nil leaves it at the hosts' own.
    /// - Throws: `didNotRun`, with what each host said.
    package static func connect(
        _ configuration: PostgresConfiguration, deadline: Duration = .seconds(5),
        within limit: Duration? = nil,
        loop: ReadinessLoop, logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        try await self.connect(
            configuration, deadline: deadline, within: limit, loop: loop, logger: logger, onNotification: nil)
    }

    /// - Parameter onNotification: called on the loop's thread.
    static func connect(
        _ configuration: PostgresConfiguration, deadline: Duration, within limit: Duration?,
        loop: ReadinessLoop, logger: Logger, onNotification: (@Sendable (PostgresNotification) -> Void)?
    ) async throws(PostgresError) -> PostgresConnection {
        let dialling = ConnectionDial(
            try ConnectionTargets(configuration), hostDeadline: configuration.connectDeadline,
            due: limit.map { ContinuousClock.now.advanced(by: $0) }, logger: logger)
        let connection = PostgresConnection(loop: loop, deadline: deadline)
        let core = connection.core
        let error: PostgresError? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRunning = loop.execute {
                    core.onNotification = onNotification
                    core.connect(dialling) { continuation.resume(returning: $0) }
                }
                if !isRunning { continuation.resume(returning: .didNotRun(.closed)) }
            }
        } onCancel: {
            loop.execute { dialling.giveUp(.cancelled) }
        }
        if let error { throw error }
        return connection
    }

    /// Runs one statement; outside of a transaction it is one of its own.
    package func query(
        _ statement: PostgresStatement, deadline: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await Target(loop: self.loop, core: self.core, isScript: false)
            .run(statement, deadline: deadline ?? self.deadline)
    }

    /// Runs several commands separated by semicolons, all in one transaction unless they say otherwise.
    ///
    /// Nothing else may be in flight on the connection; that gets `didNotRun(.invalid)`.
    package func execute(script: String, deadline: Duration? = nil) async throws(PostgresError) {
        _ = try await Target(loop: self.loop, core: self.core, isScript: true)
            .run(PostgresStatement(unescaped: script), deadline: deadline ?? self.deadline)
    }

    /// The same as `query`, but a cancelled task waits for the answer all the same.
    func queryToItsEnd(
        _ statement: PostgresStatement, deadline: Duration
    ) async throws(PostgresError) -> PostgresRows {
        try await Target(loop: self.loop, core: self.core, isScript: false)
            .runToItsEnd(statement, deadline: deadline)
    }

    /// Ends the connection; statements in flight get `mayHaveRun`, and the server is asked to end them.
    package func close() async {
        await withCheckedContinuation { continuation in
            let isRunning = self.loop.execute { [core] in
                core.close()
                continuation.resume()
            }
            if !isRunning { continuation.resume() }
        }
    }

    /// Waits for the connection's end, for a bounded time.
    ///
    /// - Returns: whether it has ended; false also when the task is cancelled.
    func hasEnded(within limit: Duration) async -> Bool {
        let watcher = EndWatcher()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRunning = self.loop.execute { [core] in
                    guard !watcher.isCancelled else { return continuation.resume(returning: false) }
                    watcher.ticket = core.waitForEnd(limit) { continuation.resume(returning: $0) }
                }
                if !isRunning { continuation.resume(returning: true) }
            }
        } onCancel: {
            self.loop.execute { [core] in
                watcher.isCancelled = true
                core.stopWaiting(watcher.ticket)
            }
        }
    }

    /// Touched on the loop's thread only.
    private final class EndWatcher: @unchecked Sendable {
        var ticket: EndWaiters.Ticket?
        var isCancelled = false
    }

    private final class Target: StatementTarget {
        let loop: ReadinessLoop
        let core: ConnectionCore
        let isScript: Bool

        init(loop: ReadinessLoop, core: ConnectionCore, isScript: Bool) {
            self.loop = loop
            self.core = core
            self.isScript = isScript
        }

        func submit(_ pending: PendingStatement) {
            let isRunning = self.loop.execute { self.core.submit(pending, asScript: self.isScript) }
            if !isRunning { pending.finish(.failure(.didNotRun(.closed))) }
        }

        func cancel(_ pending: PendingStatement) {
            self.loop.execute { self.core.cancel(pending) }
        }
    }
}
