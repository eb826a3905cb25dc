import ClusterModel

/// What the statements that declare somebody dead have in common: the locked row, the departure, the next view.
class DeathStatement: Statement {
    final let slot: Int16
    final let incarnation: Int64
    /// The target as the snapshot shows it.
    private final var seen: MemberRow?
    /// Why it dies; nil where it lives on.
    final var reason: String?
    final var killed = false

    init(slot: Int16, incarnation: Int64) {
        self.slot = slot
        self.incarnation = incarnation
    }

    /// Whether the target's row, as the snapshot or the locked row shows it, is the one that is meant.
    func isMeant(_ row: MemberRow, _ database: Database) -> Bool {
        row.incarnation == self.incarnation && row.isLive
    }
    /// Judged after the lock, of the row as it was locked.
    func verdict(_ row: MemberRow, _ database: Database) -> String? { nil }
    /// Takes what else is needed of the snapshot.
    func look(_ database: Database) {}
    /// Before the target is looked at: who accuses.
    ///
    /// Nil goes on; else the statement ends, or waits.
    func prove(_ database: Database) -> Advance? { nil }
    /// The verdict stands; from here on only waiting for the cluster's row is left.
    func judged(_ database: Database) {}

    final override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            self.seen = database.tables.member(self.slot, self.incarnation)
            self.look(database)
            self.stage = 1
            return .more
        case 1:
            if let end = self.prove(database) { return end }
            self.stage = 2
            return .more
        case 2:
            guard let seen = self.seen, self.isMeant(seen, database)
            else {
                return .committed
            }
            // R3: a commit of the target that is in flight has locked the row; it goes first.
            let mode: LockMode = database.twin == .deathWithoutLock ? .noKeyUpdate : .update
            guard self.lock(.member(self.slot), mode, in: database) else { return .wait }
            self.stage = 3
            return .more
        case 3:
            let place = Int(self.slot) - 1
            let row = database.tables.members[place]
            guard self.isMeant(row, database), let reason = self.verdict(row, database) else {
                return .committed
            }
            self.reason = reason
            self.judged(database)
            self.stage = 4
            return .more
        case 4:
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 5
            return .more
        default:
            self.kill(database)
            return .committed
        }
    }

    private func kill(_ database: Database) {
        guard let reason = self.reason else { return }
        let place = Int(self.slot) - 1
        database.tables.members[place].status = .dead
        database.tables.members[place].diedAt = database.clock
        if let name = database.tables.members[place].profile.name {
            database.tables.depart(
                DepartedRow(
                    incarnation: self.incarnation, slot: self.slot, name: name, reason: reason,
                    diedAt: database.clock))
        }
        if database.twin != .deathWithoutVersion { database.tables.cluster.viewVersion += 1 }
        database.synced()
        self.killed = true
        database.judge?.died(slot: self.slot, incarnation: self.incarnation)
    }
}

/// `accuse`: by a member with a chain of its own.
final class AccuseStatement: DeathStatement {
    let accusation: Accusation
    private var accuser: MemberRow?
    /// How long the accuser's chain was when it was looked at, as the judge knows.
    private var chain: Int64 = 0

    init(_ accusation: Accusation) {
        self.accusation = accusation
        super.init(slot: accusation.target.rawValue, incarnation: accusation.targetIncarnation.rawValue)
    }

    override var title: String { "accuse" }

    private func proves(_ row: MemberRow, _ database: Database) -> Bool {
        guard row.incarnation == self.accusation.accuser.rawValue, row.isLive else { return false }
        if database.twin == .accuserUnproven { return true }
        // A server that was just restarted has not heard of the accuser again either.
        guard database.holdsAdvisoryLock(row) else { return false }
        let now = database.clock
        return row.beatAt >= now - database.times.chainGap && row.beatAt <= now
            && row.upSince <= now - database.times.slowWindow
    }

    override func look(_ database: Database) {
        self.accuser = database.tables.member(
            self.accusation.accuserSlot.rawValue, self.accusation.accuser.rawValue)
    }

    override func prove(_ database: Database) -> Advance? {
        guard self.accusation.watched >= .microseconds(database.times.fastWindow) else { return .committed }
        let slot = self.accusation.accuserSlot.rawValue
        guard let seen = self.accuser, self.proves(seen, database) else { return .committed }
        guard self.lock(.member(slot), .keyShare, in: database) else { return .wait }
        let row = database.tables.members[Int(slot) - 1]
        guard row == seen || self.proves(row, database) else { return .committed }
        self.chain = database.judge?.chain(of: self.accusation.accuserSlot) ?? 0
        return nil
    }

    override func isMeant(_ row: MemberRow, _ database: Database) -> Bool {
        let hasMoved = row.heartbeats != self.accusation.heartbeats && database.twin != .movingTarget
        return super.isMeant(row, database) && !hasMoved
    }

    override func verdict(_ row: MemberRow, _ database: Database) -> String? {
        if database.twin == .movingTarget { return "silent" }
        let now = database.clock
        func beatWithin(_ window: Int64) -> Bool { row.beatAt >= now - window && row.beatAt <= now }
        let isHeld = database.holdsAdvisoryLock(self.incarnation) && database.twin != .lockUnheeded
        if !isHeld && !beatWithin(database.times.fastWindow) { return "crashed" }
        let slow = self.accusation.watched >= .microseconds(database.times.slowWindow)
        return slow && !beatWithin(database.times.slowWindow) ? "silent" : nil
    }

    override func judged(_ database: Database) {
        database.judge?.accused(
            self.accusation, chain: self.chain, lockHeld: database.holdsAdvisoryLock(self.incarnation))
    }
}

/// `accuse(asJoiner:)`: by a refused joiner that has watched for the slow window.
final class JoinerAccuseStatement: DeathStatement {
    let accusation: Accusation

    init(_ accusation: Accusation) {
        self.accusation = accusation
        super.init(slot: accusation.target.rawValue, incarnation: accusation.targetIncarnation.rawValue)
    }

    override var title: String { "accuse as a joiner" }

    override func prove(_ database: Database) -> Advance? {
        guard self.accusation.watched >= .microseconds(database.times.slowWindow) else { return .committed }
        let now = database.clock
        let started = database.startedAt
        let justStarted = started >= now - database.times.slowWindow && started <= now
        return justStarted ? .committed : nil
    }

    override func isMeant(_ row: MemberRow, _ database: Database) -> Bool {
        super.isMeant(row, database) && row.heartbeats == self.accusation.heartbeats
    }

    override func verdict(_ row: MemberRow, _ database: Database) -> String? {
        let now = database.clock
        let beatLately = row.beatAt >= now - database.times.slowWindow && row.beatAt <= now
        return beatLately ? nil : "silent, as a joiner saw"
    }

    override func judged(_ database: Database) { database.judge?.accusedByJoiner(self.accusation) }
}

/// `leave`: a good-bye.
final class LeaveStatement: DeathStatement {
    override var title: String { "leave" }
    override func verdict(_ row: MemberRow, _ database: Database) -> String? { "left" }
}
