import ClusterModel
import Coordinator

/// Takes the lead: a compare-and-set on the term, when whoever had it is dead.
final class TakeLeadStatement: RightfulStatement {
    let claim: LeadClaim
    private(set) var taken: Leadership?
    private var seen = ClusterRow()

    init(_ claim: LeadClaim) {
        self.claim = claim
        super.init(slot: claim.right.slot.rawValue, incarnation: claim.right.incarnation.rawValue)
    }

    override var title: String { "take the lead" }

    private func isVacant(_ cluster: ClusterRow, _ database: Database) -> Bool {
        guard cluster.leaderTerm == self.claim.term else { return false }
        guard let leader = cluster.leaderIncarnation else { return true }
        return database.tables.livingSlot(of: leader) == nil
    }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 { self.seen = database.tables.cluster }
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful, self.isVacant(self.seen, database) else { return .committed }
        if self.stage == 2 {
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 3
            return .more
        }
        let isFree = self.isVacant(database.tables.cluster, database) || database.twin == .leadWithoutCompare
        guard isFree else { return .committed }
        let base = database.twin == .leadWithoutCompare ? self.seen : database.tables.cluster
        let term = base.leaderTerm + 1
        database.tables.cluster.leaderTerm = term
        database.tables.cluster.leaderSlot = self.slot
        database.tables.cluster.leaderIncarnation = self.incarnation
        database.tables.cluster.viewVersion += 1
        database.synced()
        self.taken = Leadership(
            slot: self.claim.right.slot, incarnation: self.claim.right.incarnation, term: term)
        database.judge?.led(term: term, by: self.incarnation)
        return .committed
    }
}

/// A write that only the leader may make: its term is in the condition, the cluster's row locked after the member's.
final class LeaderWriteStatement: RightfulStatement {
    let term: Int64
    private(set) var written = false

    init(_ right: LeaderRight) {
        self.term = right.term
        super.init(slot: right.right.slot.rawValue, incarnation: right.right.incarnation.rawValue)
    }

    override var title: String { "write as the leader" }

    override func advance(_ database: Database) -> Advance {
        if database.twin != .leaderUnchecked, let advance = self.checkRight(database) { return advance }
        if database.twin == .leaderUnchecked { self.stage = max(2, self.stage) }
        guard self.isRightful || database.twin == .leaderUnchecked else {
            database.judge?.stage.coverage.count(.staleLeaderRefused)
            return .committed
        }
        if self.stage == 2 {
            guard self.lock(.cluster, .share, in: database) else { return .wait }
            self.stage = 3
            return .more
        }
        let cluster = database.tables.cluster
        let leads = cluster.leaderTerm == self.term && cluster.leaderIncarnation == self.incarnation
        guard leads || database.twin == .leaderUnchecked else {
            database.judge?.stage.coverage.count(.staleLeaderRefused)
            return .committed
        }
        database.tables.cluster.leaderWrites += 1
        database.synced()
        self.written = true
        database.judge?.leaderWrote(term: self.term, by: self.incarnation)
        return .committed
    }
}

/// A node's own order about its drain; an operator gives the same one.
final class DrainStatement: RightfulStatement {
    let order: DrainWish
    private(set) var done = false

    init(_ order: DrainWish, _ right: NodeRight) {
        self.order = order
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "drain" }

    override func advance(_ database: Database) -> Advance {
        let place = Int(self.slot) - 1
        let from: MemberRow.Status = self.order == .end ? .draining : .active
        switch self.stage {
        case 0:
            guard database.tables.isLive(self.slot, self.incarnation) else { return .committed }
            self.stage = 1
            return .more
        case 1:
            guard self.lock(.member(self.slot), .noKeyUpdate, in: database) else { return .wait }
            self.stage = 2
            return .more
        case 2:
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 3
            return .more
        default:
            let row = database.tables.members[place]
            guard row.incarnation == self.incarnation, row.status == from else { return .committed }
            database.tables.members[place].status = self.order == .end ? .active : .draining
            database.tables.cluster.viewVersion += 1
            database.synced()
            self.done = true
            return .committed
        }
    }
}
