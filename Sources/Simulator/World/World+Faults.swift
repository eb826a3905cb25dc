import ClusterModel
import Coordinator

/// Carries out what the plan says, and ends it all when the calm begins.
extension World {
    func inflict(_ fault: Fault) {
        guard self.stage.now < self.plan.calmFrom, fault.host < self.hosts.count else { return }
        let host = self.hosts[fault.host]
        self.stage.story.tell(.fault(fault))
        switch fault.kind {
        case .kill: self.kill(host, isSilent: false, restart: fault.length)
        case .renamePower: self.mount.cutPowerAfterRename(restart: fault.length)
        case .power: self.kill(host, isSilent: true, restart: fault.length)
        case .storm:
            for offset in 0..<Int(fault.amount) {
                self.kill(
                    self.hosts[(fault.host + offset) % self.settings.nodes], isSilent: false,
                    restart: fault.length)
            }
        case .down:
            guard self.hosts.filter({ $0.isDown }).count * 2 < self.settings.nodes else { return }
            self.kill(host, isSilent: false, restart: nil)
        case .pause: host.pause(for: self.untilCalm(fault.length))
        case .stepPause: host.armPause(steps: Int(fault.amount), length: self.untilCalm(fault.length))
        case .commitPause: host.armCommitPause(length: self.untilCalm(fault.length))
        case .leave: host.process?.leave(restartAfter: fault.length)
        case .rival: self.rival(of: host).start()
        case .cut, .cutRequests, .cutAnswers, .slow: self.disturb(host, fault)
        case .restart, .crash, .outage: self.stopDatabase(fault)
        case .backend:
            self.judge.backendKilledAt = self.stage.now
            _ = self.server.killBackend()
        case .clock:
            self.judge.clockSteppedAt = self.stage.now
            self.server.database.stepClock(by: fault.amount * 1_000)
        case .hang: self.server.hang(for: fault.length)
        case .mountHang, .mountError, .renameLies:
            self.mount.disturb(fault, until: self.untilCalm(fault.length))
            for host in self.hosts { host.process?.probeSoon() }
        case .force: self.forceEndSomeLease()
        case .failover: self.failOver(fault)
        case .upgrade: self.upgrade(host, fault)
        case .stall: self.server.stallNextCommit(fault)
        case .skew: break
        }
    }

    func untilCalm(_ length: Int64) -> Int64 {
        min(length, max(0, self.plan.calmFrom - self.stage.now))
    }

    /// - Parameter dying: whose death it is that stalls; it wakes and tries what it can.
    func clientStalls(_ index: Int, _ fault: Fault, dying: Int64?) {
        let host = self.hosts[index]
        if let dying, let target = self.hosts.first(where: { $0.process?.incarnation?.rawValue == dying }) {
            target.resume()
            // Its heartbeats wait for the row that the death has locked.
            target.undisturbedSince = self.stage.now + fault.length
        }
        switch fault.amount {
        case 1: self.kill(host, isSilent: false, restart: 3 * Span.second)
        case 2: host.pause(for: self.untilCalm(10 * Span.second))
        default: break
        }
    }

    /// The machine that has the mount and all the nodes.
    func cutPower(restart: Int64) {
        guard self.stage.now < self.plan.calmFrom else { return }
        for host in self.hosts where !host.isDown {
            self.kill(host, isSilent: true, restart: host.isRival ? nil : restart)
        }
        self.mount.losePower()
    }

    func kill(_ host: Host, isSilent: Bool, restart: Int64?) {
        host.kill(isSilent: isSilent)
        guard let restart else {
            host.isDown = true
            return
        }
        host.restart(after: restart)
    }

    private func disturb(_ host: Host, _ fault: Fault) {
        let until = self.stage.now + self.untilCalm(fault.length)
        host.undisturbedSince = nil
        switch fault.kind {
        case .cutRequests: host.link.requestsCutUntil = max(host.link.requestsCutUntil, until)
        case .cutAnswers: host.link.answersCutUntil = max(host.link.answersCutUntil, until)
        case .slow:
            host.link.slowUntil = max(host.link.slowUntil, until)
            host.link.slowBy = fault.amount * Span.millisecond
        default:
            host.link.requestsCutUntil = max(host.link.requestsCutUntil, until)
            host.link.answersCutUntil = max(host.link.answersCutUntil, until)
        }
        self.stage.at(until) { [unowned host] in
            // A line that is being opened again after the cut may take its longest pause first.
            host.settled()
        }
        self.stage.after(11 * Span.second) { [unowned host, unowned self] in self.server.giveUpSilent(host) }
    }

    private func stopDatabase(_ fault: Fault) {
        guard self.server.isUp else { return }
        self.server.stop(isCrash: fault.kind == .crash)
        let length = self.untilCalm(fault.length)
        self.stage.after(length) { [unowned self] in
            self.stage.story.tell(.databaseBack)
            self.server.start()
        }
    }

    /// Nothing goes wrong any more; what is down for good stays so.
    func calm() {
        self.stage.story.tell(.calm)
        self.server.start()
        self.putClockRight()
        self.mount.settle()
        for host in self.hosts {
            host.link = Link()
            host.disarm()
            host.hasJoined()
            host.resume()
            if host.process == nil, !host.isRival { host.restart(after: Span.second) }
        }
        self.stage.after(30 * Span.second) { [unowned self] in self.judgeDeaths() }
    }

    /// What is delayed is due by the database's clock: one that was set back holds it back as long.
    private func putClockRight() {
        let database = self.server.database
        guard database.clockError < database.clockErrorMax else { return }
        database.stepClock(by: database.clockErrorMax - database.clockError)
        self.judge.clockSteppedAt = self.stage.now
    }

    /// M6: whoever has no process behind it is dead by now.
    private func judgeDeaths() {
        guard self.hasSurvivor else { return }
        let living = Set(self.hosts.compactMap { $0.process?.incarnation?.rawValue })
        for (place, row) in self.server.database.tables.members.enumerated()
        where row.isLive && !living.contains(row.incarnation) {
            self.judge.broken(
                .m6,
                "\(row.incarnation) in slot \(place + 1) has no process and is not dead 30 s after the last fault"
            )
        }
        let namesOfRivals = Set(self.hosts.filter { $0.isRival && $0.process?.phase == .living }.map(\.name))
        let readers = self.server.database.tables.cluster.minReaderVersion
        for host in self.hosts where !host.isDown && !host.isRival && !namesOfRivals.contains(host.name) {
            // Nobody has brought it up to date.
            guard host.schema >= readers else { continue }
            guard host.process?.phase != .living else { continue }
            self.judge.broken(.l7, "\(host.label) has not joined 30 s after the last fault")
        }
    }
}

/// What must be so when a run has come to its end.
extension World {
    /// Somebody is there to clear up, or should be: not everybody is down for good or too old for the schema.
    private var hasSurvivor: Bool {
        let readers = self.server.database.tables.cluster.minReaderVersion
        return self.hosts.contains { !$0.isDown && !$0.isRival && $0.schema >= readers }
    }

    /// Nobody begins anything new in the last part of the calm, so that everything can come to its end.
    var hasWork: Bool { self.stage.now < self.plan.calmFrom + 30 * Span.second }

    func judgeEnd() {
        guard self.hasSurvivor else { return }
        let tables = self.server.database.tables
        if let open = tables.departed.first(where: { $0.sweptAt == nil }) {
            self.judge.broken(.l7, "what \(open.incarnation) left is not cleared at the end")
        }
        let leases = tables.leases.filter { !self.judge.isForgotten($0.key, $0.value) }
        if let (subject, row) = leases.min(by: { $0.key < $1.key }) {
            self.judge.broken(.l7, "\(subject) is still leased to \(row.incarnation) at the end")
        }
        let names = tables.names.filter { !self.judge.files.finishedAndLost.contains($0.value.operation) }
        if let (key, row) = names.min(by: { $0.key < $1.key }) {
            self.judge.broken(
                .l7, "/\(key.path) is still being changed by upload \(row.operation) at the end")
        }
        self.judgeJobsEnd()
        self.judgeViews()
        let useless = self.mount.staged.keys.filter { tables.livingSlot(of: $0.incarnation) == nil }
        if let left = useless.min(by: { $0.operation < $1.operation }) {
            self.judge.broken(.f4, "what was staged of upload \(left.operation) is never reclaimed")
        }
    }

    /// M3, for those who read: everybody knows the view that the database has.
    private func judgeViews() {
        let version = self.server.database.tables.cluster.viewVersion
        for process in self.hosts.compactMap(\.process) where process.phase == .living {
            guard let known = process.coordinator?.membership.published?.version, known != version else {
                continue
            }
            self.judge.broken(
                .m3, "\(process.host.label) shows view \(known) at the end, and the database has \(version)")
        }
    }

    /// An operator takes a lease away; any live node carries it out.
    func forceEndSomeLease() {
        let leases = self.server.database.tables.leases.sorted { $0.key < $1.key }
        guard let (subject, row) = self.nodeLots.pick(leases), let epoch = Epoch(rawValue: row.epoch),
            let process = self.hosts.compactMap(\.process).first(where: { $0.phase == .living }),
            let right = process.right
        else { return }
        let title = LeaseTitle(subject: subject, epoch: epoch)
        process.ask(TakeAwayStatement([title], right, isForced: true)) { _ in }
    }
}
