import ClusterModel
import Coordinator

/// A connection of its own that holds the advisory lock: the one that beats, or the second holder.
struct Line {
    /// 0: no connection.
    var session = 0
    /// A heartbeat was answered on this session.
    var hasBeaten = false
    var everOpened = false
    var failures = 0
    /// Goes up with each use, so that an answer that comes too late is told from the one that is waited for.
    var token = 0
    var isWaiting = false
    var sentAt = ClusterInstant.zero
    /// When the thread turns again.
    var nextAt = ClusterInstant.zero
    var wakeAt: ClusterInstant?
}

/// The two threads that the pool has no part in; see `LineThread`.
extension NodeProcess {
    func openLines() {
        self.beating = Line()
        self.holding = Line()
        self.open(isHolder: false)
        self.open(isHolder: true)
    }

    private func open(isHolder: Bool) {
        guard let incarnation = self.incarnation else { return }
        let life = self.life
        let token = self.stepToken(isHolder)
        let host = self.host
        let failed: () -> Void = { [unowned self] in
            guard !self.isGone, self.life == life, self.stepToken(isHolder, moving: false) == token else {
                return
            }
            self.openFailed(isHolder)
        }
        switch self.stage.passage(host, isRequest: true) {
        case .arrives(let at):
            self.stage.at(at) { [unowned self] in
                guard !self.isGone, self.life == life else { return }
                let session = self.world.server.open(for: self, incarnation: incarnation.rawValue)
                switch self.stage.passage(host, isRequest: false) {
                case .arrives(let at):
                    self.stage.at(at, in: self) { [unowned self] in
                        guard !self.isGone, self.life == life else { return }
                        guard let session else { return failed() }
                        self.opened(session, isHolder)
                    }
                case .late, .lost:
                    if let session { self.world.server.clientClosed(session, of: host) }
                    self.after(self.times.heartbeatDeadline, failed)
                }
            }
        case .late, .lost: self.after(self.times.heartbeatDeadline, failed)
        }
    }

    private func stepToken(_ isHolder: Bool, moving: Bool = true) -> Int {
        if isHolder {
            if moving { self.holding.token += 1 }
            return self.holding.token
        }
        if moving { self.beating.token += 1 }
        return self.beating.token
    }

    private func opened(_ session: Int, _ isHolder: Bool) {
        if isHolder {
            self.holding.session = session
            self.holding.failures = 0
            self.holding.everOpened = true
            self.stage.add(.holderDue, at: self.stage.now + Span.second, process: self)
        } else {
            self.beating.session = session
            self.beating.hasBeaten = false
            self.beating.failures = 0
            self.beating.everOpened = true
            if self.phase == .living { self.stage.add(.beatDue, at: self.stage.now, process: self) }
        }
        self.lineOpened()
    }

    private func openFailed(_ isHolder: Bool) {
        let failures = (isHolder ? self.holding.failures : self.beating.failures) + 1
        if isHolder { self.holding.failures = failures } else { self.beating.failures = failures }
        let pause = min(1_000, 25 << min(failures, 6))
        self.after(.milliseconds(self.lots.between(Int64(pause / 2), Int64(pause)))) { [unowned self] in
            self.open(isHolder: isHolder)
        }
    }

    /// The client lets go of both lines; the server hears of it as messages get through.
    func closeLines() {
        for session in [self.beating.session, self.holding.session] where session != 0 {
            self.world.server.clientClosed(session, of: self.host)
        }
        self.beating.session = 0
        self.holding.session = 0
    }

    // MARK: The holder

    func holderDue() {
        guard self.holding.session != 0 else { return }
        let isAlive = self.world.server.isOpen(self.holding.session)
        if isAlive, !self.host.link.isCut(at: self.stage.now) {
            self.stage.add(.holderDue, at: self.stage.now + Span.second, process: self)
            return
        }
        let lost = self.holding.session
        self.holding.session = 0
        if isAlive { self.world.server.clientClosed(lost, of: self.host) }
        self.after(isAlive ? self.times.heartbeatDeadline : .zero) { [unowned self] in
            self.open(isHolder: true)
        }
    }

    // MARK: The heartbeat

    func beatDue() {
        guard self.phase == .living, !self.beating.isWaiting, self.beating.session != 0 else { return }
        let now = self.now
        if self.beating.nextAt > now {
            return self.stage.add(
                .beatDue, at: self.host.clock.trueMoment(of: self.beating.nextAt, now: self.stage.now),
                process: self)
        }
        self.beating.sentAt = now
        self.beating.nextAt = now.advanced(by: self.times.heartbeatPeriod)
        self.beating.token += 1
        let token = self.beating.token
        if self.host.isUndisturbed, let right = self.right,
            self.world.server.isQuiet(self.beating.session, slot: right.slot.rawValue)
        {
            // Nothing can come between: request, statement and answer are one event.
            self.news = self.world.server.database.beat(
                right.slot.rawValue, right.incarnation.rawValue, on: self.beating.session,
                continues: self.beating.hasBeaten)
            return self.takeAnswer(right)
        }
        self.beating.isWaiting = true
        switch self.stage.passage(self.host, isRequest: true) {
        case .arrives(let at): self.stage.add(.beatArrives, at: at, process: self, value: token)
        case .late(let at):
            self.stage.add(.beatArrives, at: at, process: self, value: token)
            self.watchDeadline(token)
        case .lost: self.watchDeadline(token)
        }
    }

    /// The line is given up when this heartbeat is not answered in time.
    func watchDeadline(_ token: Int) {
        self.after(self.times.heartbeatDeadline) { [unowned self] in self.beatFailed(token) }
    }

    /// The server ran it; nil: no live row.
    func beatRan(_ token: Int, _ news: HeartbeatNews?) {
        guard token == self.beating.token else { return }
        self.news = news
        switch self.stage.passage(self.host, isRequest: false) {
        case .arrives(let at): self.stage.add(.beatAnswered, at: at, process: self, value: token)
        case .late, .lost: self.watchDeadline(token)
        }
    }

    /// The server has no such session any more, or ended it.
    func beatRefused(_ token: Int) {
        guard case .arrives(let at) = self.stage.passage(self.host, isRequest: false) else {
            return self.watchDeadline(token)
        }
        let life = self.life
        self.stage.at(at, in: self) { [unowned self] in
            guard !self.isGone, self.life == life else { return }
            self.beatFailed(token)
        }
    }

    private func beatFailed(_ token: Int) {
        guard token == self.beating.token, self.beating.isWaiting else { return }
        self.beating.isWaiting = false
        let lost = self.beating.session
        self.beating.session = 0
        if self.world.server.isOpen(lost) { self.world.server.clientClosed(lost, of: self.host) }
        self.told(.measured(.beatFailed))
        self.open(isHolder: false)
    }

    func beatAnswered(_ token: Int) {
        guard token == self.beating.token, self.beating.isWaiting, let right = self.right else { return }
        self.beating.isWaiting = false
        self.takeAnswer(right)
    }

    private func takeAnswer(_ right: NodeRight) {
        guard let news = self.news else {
            self.board = Board()
            return self.told(.foundDead)
        }
        self.beating.hasBeaten = true
        self.acknowledged(news, right)
        self.told(.beatAnswered(news, sentAt: self.beating.sentAt))
        guard self.phase == .living, !self.beating.isWaiting, self.beating.session != 0 else { return }
        let next = self.host.clock.trueMoment(of: self.beating.nextAt, now: self.stage.now)
        self.stage.add(.beatDue, at: next, process: self)
    }

    private func acknowledged(_ news: HeartbeatNews, _ right: NodeRight) {
        guard self.board.knowledge != nil else { return }
        let wasDue = self.board.sweepDue
        self.board.knowledge?.status = news.status
        self.board.knowledge?.acknowledged = self.beating.sentAt
        self.board.sweepDue = news.sweepDue
        if !news.chainUnbroken { self.stage.coverage.count(.chainBroken) }
        if news.sweepDue != wasDue, news.sweepDue { self.recoverSoon() }
        self.claimer?.lossesAnnounced(news.leaseLosses, self)
        self.worker?.heard(news)
    }

    /// Says `woke` at this moment, unless the next heartbeat comes first: the thread then asks anew.
    func wake(at moment: ClusterInstant?) {
        self.beating.wakeAt = moment
        guard let moment, moment < self.beating.nextAt else { return }
        self.stage.add(
            .woke, at: self.host.clock.trueMoment(of: moment, now: self.stage.now), process: self)
    }

    func wokeDue() {
        guard self.phase == .living, !self.beating.isWaiting, let wakeAt = self.beating.wakeAt,
            wakeAt <= self.now
        else { return }
        self.beating.wakeAt = nil
        self.told(.woke)
    }
}
