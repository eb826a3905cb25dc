import ClusterModel

/// How a statement ended, as the client hears it.
enum Trouble: Error, Equatable {
    case notRun
    case mayHaveRun
    case refused(String)
}

/// The server process around the simulated database: sessions, the order of steps, timeouts, outages.
final class DatabaseServer {
    struct Session {
        var host: Int
        var process: Int32
        var incarnation: Int64
    }

    private struct Running {
        var statement: Statement
        var host: Int
        var timeout: Int64
        var done: (Trouble?) -> Void
    }

    private let stage: Stage
    /// Somebody may make a limit just then.
    var claimStalled: (ClaimJobsStatement) -> Void = { _ in }
    /// What becomes of the client of a commit that stalls.
    var clientOfStalled: (Int, Fault, Int64?) -> Void = { _, _, _ in }
    let database: Database
    @exclusivity(unchecked) private(set) var isUp = true
    @exclusivity(unchecked) private var lots: SeededRandom
    /// In how many of a thousand steps somebody else may come between.
    private let splitPermille: Int
    /// The next commit that has locked its member's row is held up.
    @exclusivity(unchecked) private var stall: Fault?
    /// In how many of a thousand heartbeats request, statement and answer are events of their own.
    private let detailPermille: Int
    @exclusivity(unchecked) private var sessions: [Int: Session] = [:]
    /// By number; 0 is none.
    @exclusivity(unchecked) private var openSessions: ContiguousArray<Bool> = [false]
    private var lastSession = 0
    @exclusivity(unchecked) private var running: [Int: Running] = [:]
    @exclusivity(unchecked) private var waiting: [Int] = []
    /// Statements hang until then.
    @exclusivity(unchecked) private var hangsUntil: Int64 = 0

    init(_ database: Database, stage: Stage, lots: SeededRandom, plan: FaultPlan) {
        self.database = database
        self.stage = stage
        self.lots = lots
        self.splitPermille = plan.splitPermille
        self.detailPermille = plan.detailPermille
    }

    private static let lockTimeout = 2 * Span.second
    private static let poolTimeout = 10 * Span.second
    private static let beatTimeout = Span.second

    // MARK: Sessions

    /// Opens a session that holds the advisory lock of an incarnation; nil: refused.
    func open(for process: NodeProcess, incarnation: Int64) -> Int? {
        guard self.isUp else { return nil }
        self.lastSession += 1
        self.openSessions.append(true)
        self.sessions[self.lastSession] = Session(
            host: process.host.index, process: process.number, incarnation: incarnation)
        self.database.advisoryLocks[incarnation, default: []].append(self.lastSession)
        return self.lastSession
    }

    func isOpen(_ session: Int) -> Bool { self.isUp && self.openSessions[session] }

    /// A heartbeat on this session would run to its end at once, between two steps of others, and this time shall.
    func isQuiet(_ session: Int, slot: Int16) -> Bool {
        self.isOpen(session) && self.hangsUntil <= self.stage.now
            && self.database.locks.allows(.member(slot), .noKeyUpdate) && !self.takesApart()
    }

    /// Request, statement and answer are events of their own, this time.
    func takesApart() -> Bool { self.lots.chance(self.detailPermille) }

    func close(_ session: Int) {
        guard let closed = self.sessions.removeValue(forKey: session) else { return }
        self.openSessions[session] = false
        var left = self.database.advisoryLocks[closed.incarnation] ?? []
        if let index = left.firstIndex(of: session) { left.remove(at: index) }
        self.database.advisoryLocks[closed.incarnation] = left.isEmpty ? nil : left
    }

    /// The client closed its end: the server hears of it when a message can reach it, else by its keepalives.
    func clientClosed(_ session: Int, of host: Host) {
        switch self.stage.passage(host, isRequest: true) {
        case .arrives(let at), .late(let at): self.stage.at(at) { [unowned self] in self.close(session) }
        case .lost: self.stage.after(11 * Span.second) { [unowned self] in self.close(session) }
        }
    }

    func clientDied(_ process: NodeProcess, isSilent: Bool) {
        for session in self.sessions.filter({ $0.value.process == process.number }).keys.sorted() {
            if isSilent {
                self.stage.after(11 * Span.second) { [unowned self] in self.close(session) }
            } else {
                self.clientClosed(session, of: process.host)
            }
        }
    }

    /// A session that said nothing for 11 s is given up.
    func giveUpSilent(_ host: Host) {
        guard host.link.isCut(at: self.stage.now) else { return }
        for session in self.sessions.filter({ $0.value.host == host.index }).keys.sorted() {
            self.close(session)
        }
    }

    // MARK: Statements

    func submit(
        _ statement: Statement, from host: Host, timeout: Int64 = DatabaseServer.poolTimeout,
        done: @escaping (Trouble?) -> Void
    ) {
        if let lost = statement.ends { self.endSession(of: lost) }
        guard !statement.isCutOff else { return done(.mayHaveRun) }
        self.database.begin(statement)
        self.running[statement.number] = Running(
            statement: statement, host: host.index, timeout: self.stage.now + timeout, done: done)
        if self.hangsUntil > self.stage.now {
            self.later(statement.number, by: self.hangsUntil - self.stage.now)
        } else {
            self.step(statement.number)
        }
    }

    /// Nothing of it happens from now on, whether it runs, waits, or has not arrived.
    private func endSession(of statement: Statement) {
        statement.isCutOff = true
        if self.running[statement.number]?.statement === statement { self.end(statement.number, .mayHaveRun) }
    }

    func step(_ number: Int) {
        guard self.isUp, let running = self.running[number] else { return }
        let statement = running.statement
        while true {
            let stage = statement.stage
            switch statement.advance(self.database) {
            case .more:
                if statement.stage != stage { statement.waitingSince = 0 }
                if let stall = self.stall, Self.isStalled(statement, by: stall) {
                    return self.stall(number, running.host, stall)
                }
                if self.lots.chance(self.splitPermille) {
                    let pause = self.lots.chance(20) ? 50 * Span.millisecond : 2 * Span.millisecond
                    return self.later(number, by: self.lots.between(10_000, pause))
                }
            case .wait: return self.wait(number, statement)
            case .committed: return self.end(number, nil)
            case .failed(let state): return self.end(number, .refused(state))
            }
        }
    }

    private func later(_ number: Int, by length: Int64) {
        guard let running = self.running[number] else { return }
        let at = self.stage.now + length
        guard at > running.timeout else { return self.stage.addStep(of: number, at: at) }
        self.stage.at(running.timeout) { [unowned self] in self.end(number, .notRun) }
    }

    private func wait(_ number: Int, _ statement: Statement) {
        self.stage.coverage.count(.lockWaited)
        self.noteWaiting(statement)
        if !self.waiting.contains(number) { self.waiting.append(number) }
        guard statement.waitingSince == 0, let running = self.running[number] else { return }
        let since = self.stage.now
        statement.waitingSince = since
        let due = min(since + Self.lockTimeout, running.timeout)
        self.stage.at(due) { [unowned self] in
            guard statement.waitingSince == since, statement.waitsFor != nil else { return }
            self.end(number, .notRun)
        }
    }

    private func noteWaiting(_ statement: Statement) {
        guard let key = statement.waitsFor, case .member = key else { return }
        for holder in self.database.locks.holders(of: key, besides: statement.number) {
            guard let other = self.running[holder]?.statement else { continue }
            if statement is DeathStatement, other is RightfulStatement {
                self.stage.coverage.count(.deathWaitedForCommit)
            }
            if statement is RightfulStatement, other is DeathStatement {
                self.stage.coverage.count(.commitWaitedForDeath)
            }
        }
    }

    private func end(_ number: Int, _ trouble: Trouble?) {
        guard let running = self.running.removeValue(forKey: number) else { return }
        self.forget(running.statement)
        running.done(trouble)
    }

    /// Lets go what it has locked, and lets those go on who wait for it.
    private func forget(_ statement: Statement) {
        statement.isOver = true
        statement.waitsFor = nil
        self.waiting.removeAll { $0 == statement.number }
        guard !statement.held.isEmpty else { return }
        self.database.locks.release(statement.held, of: statement.number)
        guard !self.waiting.isEmpty else { return }
        for number in self.waiting {
            guard let waiter = self.running[number]?.statement, let key = waiter.waitsFor,
                statement.held.contains(key)
            else { continue }
            self.stage.addStep(of: number, at: self.stage.now + self.lots.between(1_000, 60_000))
        }
    }

    // MARK: Heartbeats

    func beatArrives(_ host: Host, _ process: Int32, _ token: Int) {
        guard let sender = host.process, sender.number == process else { return }
        guard self.isOpen(sender.beating.session) else {
            return sender.beatRefused(token)
        }
        guard let right = sender.right else { return }
        if self.hangsUntil <= self.stage.now, !self.lots.chance(self.splitPermille >> 3),
            self.database.locks.allows(.member(right.slot.rawValue), .noKeyUpdate)
        {
            let news = self.database.beat(
                right.slot.rawValue, right.incarnation.rawValue, on: sender.beating.session,
                continues: sender.beating.hasBeaten)
            return sender.beatRan(token, news)
        }
        let statement = BeatStatement(
            slot: right.slot.rawValue, incarnation: right.incarnation.rawValue,
            session: sender.beating.session, continues: sender.beating.hasBeaten)
        sender.watchDeadline(token)
        self.submit(statement, from: host, timeout: Self.beatTimeout) { trouble in
            if trouble == nil { sender.beatRan(token, statement.answer) } else { sender.beatRefused(token) }
        }
    }

    // MARK: Faults

    /// Every connection is gone; what has not committed never happened.
    ///
    /// - Parameter isCrash: heartbeats that were not synced yet may be lost.
    func stop(isCrash: Bool) {
        guard self.isUp else { return }
        self.isUp = false
        self.database.locks.releaseAll()
        self.database.advisoryLocks = [:]
        for session in self.sessions.keys { self.openSessions[session] = false }
        self.sessions = [:]
        self.waiting = []
        let ended = self.running.sorted { $0.key < $1.key }
        self.running = [:]
        for (_, running) in ended {
            running.statement.isOver = true
            running.done(.mayHaveRun)
        }
        if isCrash { self.loseUnsynced() }
    }

    /// Another server takes over with what it has.
    func promote(_ tables: Tables) {
        let timeline = self.database.tables.cluster.timeline
        if tables.cluster != self.database.tables.cluster { self.stage.coverage.count(.commitLost) }
        self.stage.coverage.count(.failedOver)
        self.database.tables = tables
        self.database.tables.cluster.timeline = timeline + (self.database.twin == .timelineKept ? 0 : 1)
        self.database.stepClock(by: self.lots.between(-200_000, 200_000))
        self.database.synced()
    }

    private func loseUnsynced() {
        let kept = self.stage.now - self.lots.between(0, 600 * Span.millisecond)
        for beat in self.database.unsynced.reversed() where beat.at > kept {
            let place = Int(beat.slot) - 1
            guard self.database.tables.members[place].incarnation == beat.before.incarnation,
                self.database.tables.members[place].isLive
            else { continue }
            self.database.tables.members[place] = beat.before
            self.stage.coverage.count(.heartbeatLost)
        }
        self.database.synced()
    }

    func start() {
        guard !self.isUp else { return }
        self.isUp = true
        self.database.startedAt = self.database.clock
        self.database.synced()
    }

    /// Ends one session, or one running statement, as `pg_terminate_backend` does.
    ///
    /// Answers the host it was of.
    func killBackend() -> Int? {
        if let number = self.running.keys.sorted().first, self.lots.chance(500) {
            let host = self.running[number]?.host
            self.end(number, .mayHaveRun)
            return host
        }
        guard let session = self.lots.pick(self.sessions.keys.sorted()) else { return nil }
        let host = self.sessions[session]?.host
        self.close(session)
        return host
    }

    func stallNextCommit(_ fault: Fault) { self.stall = fault }

    private static func isStalled(_ statement: Statement, by fault: Fault) -> Bool {
        guard fault.amount == 3 else { return statement.stage >= 2 && statement is RightfulStatement }
        return statement.stage >= 3 && statement is DeathStatement
    }

    private func stall(_ number: Int, _ host: Int, _ fault: Fault) {
        self.stall = nil
        let target = (self.running[number]?.statement as? DeathStatement)?.incarnation
        self.later(number, by: fault.length)
        if let claim = self.running[number]?.statement as? ClaimJobsStatement { self.claimStalled(claim) }
        self.clientOfStalled(host, fault, target)
    }

    func hang(for length: Int64) { self.hangsUntil = max(self.hangsUntil, self.stage.now + length) }
}
