import CLibPQ

/// A connection for a thread of its own: everything blocks, and nothing blocks for longer than its deadline.
///
/// For work that must go on when the process is busy with everything else: heartbeats, the holder of a lock.
/// Not `Sendable`: make it on the thread that uses it. It does not reconnect; once `isOpen` is false, make
/// another.
package final class BlockingPostgresConnection {
    private var handle: ConnectionHandle?
    /// The server's process for this connection.
    package let backendID: Int32

    /// Connects to the first host that will have us.
    ///
    /// - Parameters:
    ///   - deadline: for the whole; each host also has the configuration's `connectDeadline`.
    ///   - onNotice: called with what the server remarks, on the thread that waits for an answer.
    /// - Throws: `didNotRun`, with what each host said.
    package init(
        _ configuration: PostgresConfiguration, deadline: Duration, onNotice: ((String) -> Void)? = nil
    ) throws(PostgresError) {
        let due = ContinuousClock.now.advanced(by: deadline)
        var failures: [String] = []
        for target in try ConnectionTargets(configuration).targets {
            let hostDue = min(due, ContinuousClock.now.advanced(by: configuration.connectDeadline))
            do throws(BlockingDialFailure) {
                let handle = try BlockingDial.connect(target, due: hostDue)
                handle.onNotice = onNotice ?? { _ in }
                self.handle = handle
                self.backendID = handle.backendID
                return
            } catch {
                failures.append(error.message)
            }
        }
        throw .didNotRun(.notConnected(failures.joined(separator: "; ")))
    }

    /// False after `close`, and after any answer that was lost or came too late.
    package var isOpen: Bool { self.handle != nil }

    package func close() { self.handle = nil }

    /// Runs one statement as a transaction of its own, unless one was begun before.
    ///
    /// - Parameter deadline: from now; when it passes, the connection is closed, because a late answer would
    ///   be taken for that of the next statement.
    package func query(_ statement: PostgresStatement, deadline: Duration) throws(PostgresError)
        -> PostgresRows
    {
        try self.run(statement, deadline: deadline) { $0.send(statement, preparedAs: nil) }
    }

    /// Runs several commands separated by semicolons, all in one transaction unless they say otherwise.
    package func execute(script: String, deadline: Duration) throws(PostgresError) {
        _ = try self.run(PostgresStatement(unescaped: script), deadline: deadline) { $0.send(script: script) }
    }

    private func run(
        _ statement: PostgresStatement, deadline: Duration, _ send: (ConnectionHandle) -> Bool
    ) throws(PostgresError) -> PostgresRows {
        if let fault = statement.fault { throw .didNotRun(.invalid(fault)) }
        guard let handle = self.handle else { throw .didNotRun(.closed) }
        let due = ContinuousClock.now.advanced(by: deadline)
        guard due > ContinuousClock.now else { throw .didNotRun(.deadline(nil)) }
        var outcome = StatementOutcome()
        guard send(handle) else {
            self.handle = nil
            throw .didNotRun(.notConnected(handle.errorMessage))
        }
        while !self.isComplete(handle, &outcome) {
            if outcome.endsConnection || outcome.localFailure != nil {
                self.handle = nil
                throw outcome.whenLost("")
            }
            guard PollWait.wait(handle.socket, toWrite: handle.flush() == .partly, until: due) else {
                self.handle = nil
                throw .mayHaveRun(.deadline)
            }
            // What it brings when the connection is lost is a result that says so.
            _ = handle.consumeInput()
        }
        return try outcome.whenReady().get()
    }

    /// Takes what has arrived; true once the server is ready for the next statement.
    private func isComplete(_ handle: ConnectionHandle, _ outcome: inout StatementOutcome) -> Bool {
        while !handle.isBusy {
            guard let result = handle.nextResult() else {
                handle.dropNotifications()
                return true
            }
            outcome.add(result)
            if outcome.endsConnection || outcome.localFailure != nil { return false }
        }
        return false
    }
}
