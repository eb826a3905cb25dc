import ClusterModel
import Coordinator

import struct Foundation.Date
import struct Foundation.UUID

/// Performs what the coordinator decides, one effect after the other; see `ClusterRuntime.perform`.
extension NodeProcess {
    /// Reports wait in a bounded queue while an effect is being performed.
    private static let inputsMax = 256

    func told(_ input: Coordinator.Input) {
        guard self.phase == .living else { return }
        guard !self.isPerforming else {
            if self.inputs.count < Self.inputsMax { self.inputs.append((input, self.now)) }
            return
        }
        self.take(input, at: self.now)
    }

    private func take(_ input: Coordinator.Input, at: ClusterInstant) {
        guard let effects = self.coordinator?.step(input, at: at) else { return }
        if effects.ends { return self.foundDead() }
        switch input {
        case .beatAnswered, .woke: self.wake(at: effects.wakeAt)
        case .foundDead, .viewRead, .accusationAnswered, .leadAnswered, .measured, .drainAnswered: break
        }
        if effects.sweeps { self.recoverSoon() }
        guard
            !effects.accusations.isEmpty || effects.takesLead != nil || effects.drain != nil
                || effects.readsView
        else { return }
        self.isPerforming = true
        self.accuse(effects, next: 0)
    }

    private func accuse(_ effects: Effects, next: Int) {
        guard next < effects.accusations.count, self.twin != .neverAccuses else { return self.lead(effects) }
        let accusation = effects.accusations[next]
        self.ask(AccuseStatement(accusation)) { [unowned self] result in
            // Not killed, or nobody knows: the next heartbeat's answer tells whether the member is still listed.
            let killed = (try? result.get().killed) ?? false
            if !killed { self.stage.coverage.count(.accusationRefused) }
            self.followUps.append((.accusationAnswered(accusation, killed: killed), self.now))
            self.accuse(effects, next: next + 1)
        }
    }

    private func lead(_ effects: Effects) {
        guard let claim = effects.takesLead else { return self.drain(effects) }
        self.ask(TakeLeadStatement(claim)) { [unowned self] result in
            let taken = (try? result.get().taken) ?? nil
            self.followUps.append((.leadAnswered(claim, taken: taken), self.now))
            self.drain(effects)
        }
    }

    private func drain(_ effects: Effects) {
        guard let order = effects.drain, let right = self.right else { return self.look(effects) }
        self.ask(DrainStatement(order, right)) { [unowned self] result in
            let done: Bool? =
                switch result {
                case .success(let statement): statement.done
                case .failure(.notRun), .failure(.refused): false
                case .failure(.mayHaveRun): nil
                }
            self.followUps.append((.drainAnswered(order, done: done), self.now))
            self.look(effects)
        }
    }

    private func look(_ effects: Effects) {
        guard effects.readsView else { return self.performed() }
        self.ask(ViewStatement()) { [unowned self] result in
            if case .success(let statement) = result, !self.isTooOldForTwin(statement) {
                let view = ClusterView(statement, members: self.world.members(of: statement))
                self.followUps.append((.viewRead(view), self.now))
            }
            self.performed()
        }
    }

    /// The twin of a coordinator that takes successors only.
    private func isTooOldForTwin(_ statement: ViewStatement) -> Bool {
        guard self.twin == .viewNeverGoesBack, let known = self.coordinator?.membership.published else {
            return false
        }
        return statement.version < known.version
    }

    private func performed() {
        self.isPerforming = false
        while !self.isPerforming, self.phase == .living {
            // What came of the effects goes before what was reported meanwhile.
            if !self.followUps.isEmpty {
                let (input, at) = self.followUps.removeFirst()
                self.take(input, at: at)
            } else if !self.inputs.isEmpty {
                let (input, at) = self.inputs.removeFirst()
                self.take(input, at: at)
            } else {
                return
            }
        }
    }

    private func foundDead() {
        self.stage.coverage.count(.foundItselfDead)
        self.stage.story.tell(.foundDead(host: self.host.index, incarnation: self.incarnation?.rawValue ?? 0))
        self.endLife()
        self.beginLife()
    }

    /// Everything of this incarnation is cancelled.
    func endLife() {
        self.life += 1
        self.closeLines()
        self.board = Board()
        self.coordinator = nil
        self.right = nil
        self.inputs = []
        self.followUps = []
        self.isPerforming = false
        self.claimer = nil
        self.worker = nil
        self.shards = nil
        self.writer = Writer()
        self.recovery = RecoveryState()
        self.phase = .joining
    }
}

extension ClusterView {
    private static let cluster = ClusterID(UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)))

    /// What a node reads, with the load left out: no decision here rests on it.
    init(_ statement: ViewStatement) { self.init(statement, members: statement.all) }

    init(_ statement: ViewStatement, members: [Member]) {
        var leader: Leadership?
        if let slot = statement.cluster.leaderSlot,
            let incarnation = statement.cluster.leaderIncarnation.flatMap({ Incarnation(rawValue: $0) })
        {
            leader = Leadership(
                slot: Slot(slot), incarnation: incarnation, term: statement.cluster.leaderTerm)
        }
        self.init(
            cluster: Self.cluster, version: statement.version, memberLimit: statement.cluster.memberLimit,
            schemaVersion: statement.cluster.schemaVersion,
            configVersion: ConfigVersion(statement.cluster.configVersion), members: members,
            readAt: Date(timeIntervalSince1970: Double(statement.readAt) / 1e6), leader: leader)
    }
}

extension ViewStatement {
    var all: [Member] {
        var members: [Member] = []
        members.reserveCapacity(self.members.count)
        for (index, row) in self.members.enumerated() {
            if let member = Member(row, slot: Int16(index + 1)) { members.append(member) }
        }
        return members
    }

    func living(_ isMeant: (MemberRow) -> Bool) -> [Member] {
        var members: [Member] = []
        for (index, row) in self.members.enumerated() where row.isLive && isMeant(row) {
            if let member = Member(row, slot: Int16(index + 1)) { members.append(member) }
        }
        return members
    }
}

extension World {
    /// The members as a coordinator gets them: those of one version are made once, since nobody who reads a view
    /// through its coordinator looks at heartbeats.
    func members(of statement: ViewStatement) -> [Member] {
        if let made = self.madeMembers, made.version == statement.version,
            made.timeline == statement.cluster.timeline
        {
            return made.members
        }
        let members = statement.all
        self.madeMembers = (statement.version, statement.cluster.timeline, members)
        return members
    }
}

extension Member {
    /// Nil for a slot without a row.
    init?(_ row: MemberRow, slot: Int16) {
        guard row.status != .absent, let incarnation = Incarnation(rawValue: row.incarnation),
            let name = row.profile.name
        else { return nil }
        let status: MemberStatus =
            switch row.status {
            case .active: .active
            case .draining: .draining
            case .dead, .absent: .dead
            }
        func date(_ microseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(microseconds) / 1e6) }
        self.init(
            slot: Slot(slot), name: name, incarnation: incarnation, status: status,
            heartbeats: row.heartbeats,
            lastHeartbeat: date(row.beatAt), joinedAt: date(row.joinedAt), unbrokenSince: date(row.upSince),
            addresses: row.profile.addresses, version: row.profile.version,
            attributes: row.profile.attributes,
            capacity: Int(row.capacity), load: .idle)
    }
}
