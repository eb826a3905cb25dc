import ClusterModel

/// `nextIncarnation(above:)`: raises the cluster's counter above itself, the timeline and the mount's floor.
final class NextIncarnationStatement: Statement {
    let floor: Int64
    private(set) var incarnation: Int64 = 0
    private var seen: Int64 = 0

    init(above floor: Int64) { self.floor = floor }

    override var title: String { "draw an incarnation" }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            self.seen = database.tables.cluster.lastIncarnation
            self.stage = 1
            return .more
        case 1:
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 2
            return .more
        default:
            let last =
                database.twin == .incarnationFromSnapshot
                ? self.seen : database.tables.cluster.lastIncarnation
            let timeline = database.tables.cluster.timeline << Incarnation.sequenceBits
            self.incarnation = 1 + max(last, timeline, self.floor)
            database.tables.cluster.lastIncarnation = self.incarnation
            database.synced()
            database.judge?.drew(self.incarnation)
            return .committed
        }
    }
}

/// `view`: one snapshot of the cluster's row and of all members.
final class ViewStatement: Statement {
    private(set) var version: Int64 = 0
    private(set) var readAt: Int64 = 0
    private(set) var members: ContiguousArray<MemberRow> = []
    private(set) var cluster = ClusterRow()

    override var title: String { "read the view" }

    override func advance(_ database: Database) -> Advance {
        self.version = database.tables.cluster.viewVersion
        self.cluster = database.tables.cluster
        self.members = database.tables.members
        self.readAt = database.clock
        database.judge?.viewed(version: self.version, members: self.members)
        return .committed
    }
}

/// `departures`: those that nobody has closed, oldest first.
final class DeparturesStatement: Statement {
    let limit: Int
    private(set) var departures: [DepartedRow] = []

    init(limit: Int) { self.limit = limit }

    override var title: String { "read the departures" }

    override func advance(_ database: Database) -> Advance {
        guard database.tables.openDepartures > 0 else { return .committed }
        let open = database.tables.departed.filter { $0.sweptAt == nil }
        let ordered = open.sorted { ($0.diedAt, $0.incarnation) < ($1.diedAt, $1.incarnation) }
        self.departures = Array(ordered.prefix(self.limit))
        return .committed
    }
}

/// Locks the row of the member who acts, if it lives: rule R3.
///
/// The first stages of every statement that commits something for a node.
class RightfulStatement: Statement {
    final let slot: Int16
    final let incarnation: Int64
    final private(set) var isRightful = false

    init(slot: Int16, incarnation: Int64) {
        self.slot = slot
        self.incarnation = incarnation
    }

    /// Nil: go on.
    final func checkRight(_ database: Database) -> Advance? {
        switch self.stage {
        case 0:
            if database.twin == .rightUnchecked {
                self.isRightful = true
                self.stage = 2
                return nil
            }
            self.isRightful = database.tables.isLive(self.slot, self.incarnation)
            self.stage = self.isRightful ? 1 : 2
            return .more
        case 1:
            guard self.lock(.member(self.slot), .keyShare, in: database) else { return .wait }
            // The row as it is now: it may have died while this statement waited, or before it came to look.
            self.isRightful = database.tables.isLive(self.slot, self.incarnation)
            self.stage = 2
            return .more
        default:
            return nil
        }
    }
}

/// `claimDeparture`: the right to clear what a dead one left.
final class ClaimDepartureStatement: RightfulStatement {
    let departed: Int64
    private(set) var claimed = false
    private var seen: DepartedRow?

    init(_ departed: Int64, slot: Int16, incarnation: Int64) {
        self.departed = departed
        super.init(slot: slot, incarnation: incarnation)
    }

    override var title: String { "claim a departure" }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 { self.seen = database.tables.departure(self.departed) }
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful, let seen = self.seen, self.isFree(seen, database) else { return .committed }
        if self.stage == 2 {
            guard self.lock(.departed(self.departed), .noKeyUpdate, in: database) else { return .wait }
            self.stage = 3
            return .more
        }
        guard let place = database.tables.departedPlace[self.departed] else { return .committed }
        let row = database.tables.departed[place]
        guard row.sweptAt == nil, row.sweptBy == seen.sweptBy, row.claimedAt == seen.claimedAt else {
            return .committed
        }
        if row.sweptBy != self.incarnation { database.tables.departed[place].claimedAt = database.clock }
        database.tables.departed[place].sweptBy = self.incarnation
        database.synced()
        self.claimed = true
        return .committed
    }

    private func isFree(_ row: DepartedRow, _ database: Database) -> Bool {
        guard let claimedAt = row.claimedAt, let holder = row.sweptBy else { return true }
        let now = database.clock
        let isFresh = claimedAt >= now - database.times.claimWindow && claimedAt <= now
        return !(isFresh && holder != self.incarnation && database.tables.livingSlot(of: holder) != nil)
    }
}

/// `closeDeparture`: nothing of the dead one is left.
final class CloseDepartureStatement: RightfulStatement {
    let departed: Int64

    init(_ departed: Int64, slot: Int16, incarnation: Int64) {
        self.departed = departed
        super.init(slot: slot, incarnation: incarnation)
    }

    override var title: String { "close a departure" }

    override func advance(_ database: Database) -> Advance {
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful, let place = database.tables.departedPlace[self.departed] else {
            return .committed
        }
        if self.stage == 2 {
            guard self.lock(.departed(self.departed), .noKeyUpdate, in: database) else { return .wait }
            self.stage = 3
            return .more
        }
        let row = database.tables.departed[place]
        guard row.sweptAt == nil, row.sweptBy == self.incarnation,
            !database.tables.names.values.contains(where: { $0.incarnation == self.departed }),
            !database.tables.leases.values.contains(where: { $0.incarnation == self.departed }),
            !database.tables.jobs.claims.keys.contains(where: { $0.incarnation == self.departed })
        else { return .committed }
        database.tables.departed[place].sweptAt = database.clock
        database.tables.openDepartures -= 1
        database.synced()
        return .committed
    }
}
