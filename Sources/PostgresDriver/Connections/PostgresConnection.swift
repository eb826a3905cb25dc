package import Logging
package import ReadinessLoop

/// One connection of its own: for transactions, scripts, and whatever keeps a state on the server.
///
/// Several tasks may use it at once, then their statements share its pipeline; a transaction or a script
/// needs it for itself. It does not reconnect: after `mayHaveRun` or a lost connection make a new one.
package final class PostgresConnection: Sendable {
    /// For statements that name no deadline themselves.
    package let deadline: Duration
    private let loop: ReadinessLoop
    private let core: ConnectionCore

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
    package static func connect(
        _ configuration: PostgresConfiguration, deadline: Duration = .seconds(5), loop: ReadinessLoop,
        logger: Logger
    ) async throws(PostgresError) -> PostgresConnection {
        let targets = try ConnectionTargets(configuration)
        let connection = PostgresConnection(loop: loop, deadline: deadline)
        let error: PostgresError? = await withCheckedContinuation { continuation in
            let isRunning = loop.execute {
                connection.core.connect(targets, hostDeadline: configuration.connectDeadline, logger: logger)
                {
                    continuation.resume(returning: $0)
                }
            }
            if !isRunning { continuation.resume(returning: .didNotRun(.closed)) }
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

    /// Ends the connection; statements in flight get `mayHaveRun`.
    package func close() async {
        await withCheckedContinuation { continuation in
            let isRunning = self.loop.execute { [core] in
                core.close()
                continuation.resume()
            }
            if !isRunning { continuation.resume() }
        }
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
