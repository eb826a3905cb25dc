import CLibPQ

/// A connection for a thread of its own: everything blocks, and nothing blocks for longer than its deadline.
///
/// For work that must go on when the process is busy with everything else: heartbeats, the holder of a lock.
/// Not `Sendable`: make it on the thread that uses it. It does not reconnect; once `isOpen` is false, make
/// another.
package final class BlockingPostgresConnection {
    private var handle: ConnectionHandle?
    /// An answer came too late: the next one would be taken for it.
    private var isSpent = false
    private var prepared = StatementCache(limit: BlockingPostgresConnection.preparedLimit)
    /// Prepared statements that one connection keeps: such a thread has few different ones.
    private static let preparedLimit = 16
    /// The server's process for this connection.
    package let backendID: Int32

    /// Connects to the first host that will have us.
    ///
    /// - Parameters:
    ///   - deadline: for the whole. A host gets the configuration's `connectDeadline` at most, and no more than
    ///     its share of what is left, so that a silent first host leaves time for the second.
    ///   - onNotice: called with what the server remarks, on the thread that waits for an answer.
    /// - Throws: `didNotRun`, with what each host said.
    package init(
        _ configuration: PostgresConfiguration, deadline: Duration, onNotice: ((String) -> Void)? = nil
    ) throws(PostgresError) {
        let due = ContinuousClock.now.advanced(by: deadline)
        var failures: [String] = []
        let targets = try ConnectionTargets(configuration).targets
        for (index, target) in targets.enumerated() {
            let now = ContinuousClock.now
            let share = now.duration(to: due) / (targets.count - index)
            let hostDue = now.advanced(by: min(share, configuration.connectDeadline))
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
    package var isOpen: Bool { self.handle != nil && !self.isSpent }

    /// Ends the session, and with it its locks; so does losing the last reference.
    package func close() { self.handle = nil }

    /// Whether the connection still stands as far as this side has heard; asks the server nothing and waits for nothing.
    ///
    /// Notices a server process that ended, and what the kernel's keepalives found out. A peer that is silent only
    /// is found out by ``query(_:deadline:)``. Between statements only.
    package func stands() -> Bool {
        guard let handle = self.handle else { return false }
        // The last words of the server first, the end of the stream after them; bounded, should it talk on.
        for _ in 0..<Self.looksAtMost {
            guard PollWait.isReady(handle.socket) else { return true }
            guard handle.consumeInput(), !handle.isBad else {
                self.handle = nil
                return false
            }
        }
        return true
    }

    private static let looksAtMost = 8

    /// Runs one statement as a transaction of its own, unless one was begun before.
    ///
    /// - Parameter deadline: from now; when it passes, the connection is of no more use, because a late answer would
    ///   be taken for that of the next statement. Its session stays, with its locks, until `close`.
    package func query(_ statement: PostgresStatement, deadline: Duration) throws(PostgresError)
        -> PostgresRows
    {
        let due = ContinuousClock.now.advanced(by: deadline)
        let key = StatementCache.Key(statement)
        guard statement.isPrepared, let name = try self.prepare(statement, key, due: due) else {
            return try self.run(statement, due: due) { $0.send(statement, preparedAs: nil) }
        }
        do throws(PostgresError) {
            return try self.run(statement, due: due) { $0.send(statement, preparedAs: name) }
        } catch {
            guard error.sqlState == .featureNotSupported || error.sqlState == .invalidStatementName else {
                throw error
            }
            // The table was altered, or all prepared statements were dropped: plan it anew, once.
            _ = self.prepared.forget(key)
            return try self.again(statement, due: due, after: error)
        }
    }

    /// The server has just refused it as a whole, so nothing is done twice.
    private func again(
        _ statement: PostgresStatement, due: ContinuousClock.Instant, after first: PostgresError
    ) throws(PostgresError) -> PostgresRows {
        do throws(PostgresError) {
            return try self.run(statement, due: due) { $0.send(statement, preparedAs: nil) }
        } catch {
            // Within a transaction there is no second try; what it failed of is the first error.
            throw error.sqlState == .inFailedTransaction ? first : error
        }
    }

    /// - Returns: the name to run it by; nil when it is to be run without.
    private func prepare(
        _ statement: PostgresStatement, _ key: StatementCache.Key, due: ContinuousClock.Instant
    ) throws(PostgresError) -> String? {
        switch self.prepared.use(key) {
        case .unprepared: return nil
        case .prepared(let name): return name
        case .prepare(let name, let drop):
            do throws(PostgresError) {
                if let drop { try self.deallocate(drop, due: due) }
                _ = try self.run(statement, due: due) { $0.sendPrepare(name: name, statement) }
            } catch {
                _ = self.prepared.forget(key)
                // Only preparing was asked of the server so far.
                guard case .mayHaveRun(let reason) = error else { throw error }
                throw .didNotRun(reason == .deadline ? .deadline(nil) : .notConnected(reason.description))
            }
            self.prepared.prepared(key)
            return name
        }
    }

    /// A refusal is no reason to fail: within a failed transaction nothing is dropped, and ROLLBACK must run.
    private func deallocate(_ name: String, due: ContinuousClock.Instant) throws(PostgresError) {
        let statement = PostgresStatement(unescaped: "deallocate \(name)")
        do throws(PostgresError) {
            _ = try self.run(statement, due: due) { $0.send(statement, preparedAs: nil) }
        } catch {
            guard case .failed = error else { throw error }
        }
    }

    /// Runs several commands separated by semicolons, all in one transaction unless they say otherwise.
    package func execute(script: String, deadline: Duration) throws(PostgresError) {
        let due = ContinuousClock.now.advanced(by: deadline)
        _ = try self.run(PostgresStatement(unescaped: script), due: due) { $0.send(script: script) }
    }

    private func run(
        _ statement: PostgresStatement, due: ContinuousClock.Instant, _ send: (ConnectionHandle) -> Bool
    ) throws(PostgresError) -> PostgresRows {
        if let fault = statement.fault { throw .didNotRun(.invalid(fault)) }
        guard let handle = self.handle, !self.isSpent else { throw .didNotRun(.closed) }
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
                self.isSpent = true
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
