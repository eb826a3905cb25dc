import CLibPQ
import DequeModule
import ReadinessLoop

/// Who is told what becomes of a session's statements.
protocol PipelineSessionOwner: AnyObject {
    /// The server is done with the oldest statement of the session.
    func answered(
        _ pending: PendingStatement, with answer: PendingStatement.Answer, on session: PipelineSession)
    /// The session has ended; what was in flight has been answered, the last of it just before.
    func ended(_ session: PipelineSession, because reason: String)
    /// The driver's own statement has left the pipeline.
    func cleaned(_ session: PipelineSession)
}

extension PipelineSessionOwner {
    func cleaned(_ session: PipelineSession) {}
}

/// Who has a session for itself for a while, for COPY or a stream of rows.
protocol SessionBorrower: AnyObject {
    func ready(_ readiness: Readiness)
    /// The session has ended; it is nobody's any more.
    func lost(because reason: String)
}

/// One established connection in pipeline mode, with what was sent and not answered yet; loop's thread only.
///
/// Each statement has a sync of its own, so each is a transaction of its own, and an error touches no
/// neighbour.
final class PipelineSession: @unchecked Sendable {
    enum Mode { case pipeline, script, lent, ended }

    let loop: ReadinessLoop
    let handle: ConnectionHandle
    private(set) var session: PostgresSession
    var backendID: Int32 { self.session.backendID }
    private weak var asking: PendingStatement?
    /// Whether a plan that became void may be made anew behind the caller's back; not within transactions.
    let renewsPlans: Bool
    weak var owner: (any PipelineSessionOwner)?

    private(set) var mode = Mode.pipeline
    private(set) var inFlight = Deque<PendingStatement>()
    /// When the server last said anything.
    private(set) var lastReceived: ContinuousClock.Instant
    private var cache: StatementCache
    private var watch: Watch?
    private var borrower: (any SessionBorrower)?
    private var isFlushDue = false
    /// Statements that were sent and not flushed.
    private var unflushed = 0
    /// So many leave together at most: the server should begin with the first while we write the next.
    private static let statementsPerWrite = 8

    init(_ handle: ConnectionHandle, loop: ReadinessLoop, cacheLimit: Int, renewsPlans: Bool) {
        self.handle = handle
        self.loop = loop
        self.session = PostgresSession(backendID: handle.backendID, startedAt: nil)
        self.renewsPlans = renewsPlans
        self.cache = StatementCache(limit: cacheLimit)
        self.lastReceived = ContinuousClock.now
    }

    /// Begins to listen to the server.
    ///
    /// - Throws: `didNotRun(.notConnected)` when the connection turns out to be of no use.
    func open() throws(PostgresError) {
        guard self.handle.setNonblocking(), self.handle.enterPipeline() else {
            throw .didNotRun(.notConnected(self.handle.errorMessage))
        }
        do throws(ReadinessLoopError) {
            try self.watchSocket(for: .readable)
        } catch {
            throw .didNotRun(.notConnected(error.description))
        }
    }

    /// Asks the server when the session began; nobody waits for it.
    func askForStart() {
        let asking = PendingStatement(
            PostgresSession.own.unprepared(), due: self.lastReceived, isHousekeeping: true)
        self.asking = asking
        self.send(asking)
    }

    private func takeStart(_ pending: PendingStatement) {
        guard pending === self.asking, case .success(let rows) = pending.outcome.whenReady(),
            let row = rows.first
        else { return }
        do throws(PostgresError) {
            self.session.startedAt = try row[0, as: Int64?.self]
        } catch {
            // It stays unknown.
        }
    }

    private func watchSocket(for readiness: Readiness) throws(ReadinessLoopError) {
        self.watch = try self.loop.watch(self.handle.socket, for: readiness) { [weak self] readiness in
            self?.ready(readiness)
        }
    }

    // MARK: Lending

    /// Hands the connection to somebody, outside of the pipeline if asked to; nothing may be in flight.
    ///
    /// - Returns: false when that ended the session.
    func lend(to borrower: any SessionBorrower, inPipeline: Bool) -> Bool {
        precondition(self.inFlight.isEmpty && self.mode == .pipeline, "the connection is in use")
        guard inPipeline || self.handle.exitPipeline() else {
            self.end(self.handle.errorMessage)
            return false
        }
        self.mode = .lent
        self.borrower = borrower
        return true
    }

    /// The borrower is done, and the server ready for the next statement.
    func giveBack() {
        guard self.mode == .lent else { return }
        self.borrower = nil
        guard self.handle.enterPipeline() else { return self.end(self.handle.errorMessage) }
        self.mode = .pipeline
        self.lastReceived = self.loop.now
        self.wait(for: .readable)
    }

    /// What the borrower wants to be told of; with nothing, the socket is not read.
    func wait(for readiness: Readiness) {
        // Libpq closes the socket where reading fails; whoever read ends the session.
        guard self.mode != .ended, !self.handle.isBad else { return }
        if let watch = self.watch { return watch.change(to: readiness) }
        guard !readiness.isEmpty else { return }
        do throws(ReadinessLoopError) {
            try self.watchSocket(for: readiness)
        } catch {
            self.end(error.description)
        }
    }

    /// Forgets the socket until the next `wait`: one that was hung up would wake the loop without end.
    func leaveSocketAlone() {
        self.watch?.cancel()
        self.watch = nil
    }

    // MARK: Sending

    /// Puts a statement at the end of the pipeline.
    func send(_ pending: PendingStatement) {
        guard self.mode == .pipeline else {
            return self.owner?.answered(pending, with: .failure(.didNotRun(.closed)), on: self) ?? ()
        }
        pending.place = .sent
        if pending.watch != nil { pending.carrier = self }
        self.inFlight.append(pending)
        guard self.write(pending), self.handle.sendSync() else { return self.end(self.handle.errorMessage) }
        self.flushSoon()
    }

    /// Runs several commands, separated by semicolons, as one transaction of the simple protocol.
    ///
    /// Nothing else may be in flight.
    func send(script pending: PendingStatement) {
        precondition(
            self.inFlight.isEmpty && self.mode == .pipeline, "a script needs the connection for itself")
        pending.place = .sent
        self.inFlight.append(pending)
        self.mode = .script
        guard self.handle.exitPipeline(), self.handle.send(script: pending.statement.sql) else {
            return self.end(self.handle.errorMessage)
        }
        self.flushSoon()
    }

    private func write(_ pending: PendingStatement) -> Bool {
        let statement = pending.statement
        guard statement.isPrepared, !pending.wasSentAgain else {
            return self.handle.send(statement, preparedAs: nil)
        }
        let key = StatementCache.Key(statement)
        switch self.cache.use(key) {
        case .unprepared:
            return self.handle.send(statement, preparedAs: nil)
        case .prepared(let name):
            pending.uses = key
            return self.handle.send(statement, preparedAs: name)
        case .prepare(let name, let drop):
            pending.prepares = key
            if let drop { self.loop.execute { [weak self] in self?.drop(drop) } }
            return self.handle.sendPrepare(name: name, statement)
                && self.handle.send(statement, preparedAs: name)
        }
    }

    private func drop(_ name: String) {
        guard self.mode == .pipeline else { return }
        let statement = PostgresStatement(unescaped: "deallocate \(name)").unprepared()
        self.send(PendingStatement(statement, due: self.lastReceived, isHousekeeping: true))
    }

    /// One flush for what is sent in a turn, or for each `statementsPerWrite` of it.
    private func flushSoon() {
        self.unflushed += 1
        if self.unflushed >= Self.statementsPerWrite { self.flush() } else { self.flushAtEndOfTurn() }
    }

    private func flushAtEndOfTurn() {
        guard !self.isFlushDue else { return }
        self.isFlushDue = true
        self.loop.atEndOfTurn { [weak self] in
            guard let self else { return }
            self.isFlushDue = false
            self.flush()
            // Libpq reads where the socket takes no more. It may take all by now, and then nothing wakes us.
            self.takeAnswers()
        }
    }

    private func flush() {
        guard self.mode == .pipeline || self.mode == .script else { return }
        self.unflushed = 0
        switch self.handle.flush() {
        case .everything: self.watch?.change(to: .readable)
        case .partly: self.watch?.change(to: .readableAndWritable)
        // The server may have said why: reading finds that, and ends the session.
        case .failed: self.receive()
        }
    }

    // MARK: Receiving

    private func ready(_ readiness: Readiness) {
        if let borrower = self.borrower { return borrower.ready(readiness) }
        if readiness.hasRoom {
            self.flush()
            // Libpq may have read while it could not write, so that there is no news of it from the socket.
            self.takeAnswers()
        }
        if readiness.hasInput { self.receive() }
    }

    private func receive() {
        guard self.mode != .ended else { return }
        self.lastReceived = self.loop.now
        let isAlive = self.handle.consumeInput()
        let message = isAlive ? "" : self.handle.errorMessage
        // TLS may have something to say of its own while it reads.
        if self.handle.hasCollected { self.flushAtEndOfTurn() }
        self.takeAnswers()
        guard self.mode != .ended else { return }
        self.handle.dropNotifications()
        if !isAlive { self.end(message) }
    }

    /// Takes every result that has arrived, without ever waiting for one.
    private func takeAnswers() {
        var emptyInRow = 0
        while let head = self.inFlight.first, !self.handle.isBusy {
            switch self.handle.nextArrival() {
            case .result(let result):
                emptyInRow = 0
                self.take(result, for: head)
            case .sync:
                emptyInRow = 0
                self.finishFirst()
            case .nothing where self.mode == .script: self.scriptEnded()
            case .nothing: emptyInRow += 1
            }
            guard self.mode != .ended else { return }
            if emptyInRow > 2 { return self.end("the server's answers do not match what was asked") }
        }
    }

    private func take(_ result: ResultHandle, for head: PendingStatement) {
        if let key = head.prepares {
            // The first answer is the one to preparing.
            head.prepares = nil
            if result.status == PGRES_COMMAND_OK { return self.cache.prepared(key) }
            _ = self.cache.forget(key)
        }
        head.outcome.add(result)
        if head.outcome.endsConnection || head.outcome.localFailure != nil {
            self.end(head.outcome.localFailure ?? result.errorMessage.trimmed)
        }
    }

    private func scriptEnded() {
        guard self.handle.enterPipeline() else { return self.end(self.handle.errorMessage) }
        self.mode = .pipeline
        self.finishFirst()
    }

    private func finishFirst() {
        guard let pending = self.inFlight.popFirst() else { return }
        if pending.isHousekeeping {
            self.takeStart(pending)
            return self.owner?.cleaned(self) ?? ()
        }
        if self.isPlanVoid(pending), self.sendAgain(pending) { return }
        if pending.place == .finished { pending.watch?.settled() }
        self.owner?.answered(pending, with: pending.outcome.whenReady(), on: self)
    }

    /// The table under a plan was altered, or somebody dropped all prepared statements.
    private func isPlanVoid(_ pending: PendingStatement) -> Bool {
        guard let key = pending.uses, let sqlState = pending.outcome.error?.sqlState,
            sqlState == .featureNotSupported || sqlState == .invalidStatementName
        else { return false }
        if let name = self.cache.forget(key), sqlState == .featureNotSupported { self.drop(name) }
        return true
    }

    /// The server has just refused it as a whole, so nothing is done twice.
    private func sendAgain(_ pending: PendingStatement) -> Bool {
        guard self.renewsPlans, pending.place == .sent, self.mode == .pipeline else { return false }
        pending.wasSentAgain = true
        pending.uses = nil
        pending.outcome = StatementOutcome()
        self.send(pending)
        return true
    }

    // MARK: Ending

    /// Closes the connection and answers everybody who is still in its pipeline.
    func end(_ reason: String) {
        guard self.mode != .ended else { return }
        self.mode = .ended
        self.watch?.cancel()
        self.watch = nil
        let rest = self.inFlight
        self.inFlight = []
        let borrower = self.borrower
        self.borrower = nil
        borrower?.lost(because: reason)
        // A server that says why it goes has not begun with what came after the statement that it says it to.
        let saidWhy = rest.first?.outcome.endsConnection ?? false
        for (index, pending) in rest.enumerated() where !pending.isHousekeeping {
            let neverBegun = saidWhy && index > 0
            let error: PostgresError =
                neverBegun ? .didNotRun(.notConnected(reason)) : pending.outcome.whenLost(reason)
            self.owner?.answered(pending, with: .failure(error), on: self)
        }
        self.owner?.ended(self, because: reason)
    }
}
