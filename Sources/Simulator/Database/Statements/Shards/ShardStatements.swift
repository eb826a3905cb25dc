import ClusterModel
import ClusterPorts

/// `shards`, and `shards(of:and:)`.
final class ReadShardsStatement: Statement {
    /// Nil for all of them.
    let incarnation: Incarnation?
    let numbers: [ShardNumber]
    private(set) var records: [ShardRecord] = []
    private(set) var changes = 0

    init(of incarnation: Incarnation? = nil, and numbers: [ShardNumber] = []) {
        self.incarnation = incarnation
        self.numbers = numbers
    }

    override var title: String { "read shards" }

    override func advance(_ database: Database) -> Advance {
        self.changes = database.tables.shardChanges
        let own = self.incarnation?.rawValue
        for index in database.tables.shards.indices {
            guard let number = ShardNumber(index) else { continue }
            let row = database.tables.shards[index]
            let isMeant = own == nil || row.wanted == own || row.owner == own || self.numbers.contains(number)
            if isMeant { self.records.append(ShardRecord(number, row, now: database.clock)) }
        }
        return .committed
    }
}

extension ShardRecord {
    init(_ number: ShardNumber, _ row: ShardRow, now: Int64) {
        self.init(
            number: number, wanted: row.wanted.flatMap { Incarnation(rawValue: $0) }, term: row.term,
            movedFor: .milliseconds((now - row.movedAt) / 1_000),
            owner: row.owner.flatMap { Incarnation(rawValue: $0) },
            epoch: row.epoch.flatMap { Epoch(rawValue: $0) }, pinned: row.pinned, load: row.load)
    }
}

/// What the writes to shards have in common: rows are locked in the order of their numbers, and looked at again.
class ShardWriteStatement: RightfulStatement {
    /// As the snapshot has them.
    final private(set) var rows: ContiguousArray<ShardRow> = []
    final private(set) var snapshotMembers: ContiguousArray<MemberRow> = []
    final private(set) var locked: [Int] = []
    private final var next = 0

    /// By number, in order.
    var numbers: [Int] { [] }
    var mode: LockMode { .update }
    /// As the snapshot, or the locked row, shows it.
    func isMeant(_ number: Int, _ row: ShardRow, _ database: Database) -> Bool { false }
    /// When the rows are locked; true when there is nothing more to wait for.
    func prepare(_ database: Database) -> Bool { true }
    func write(_ database: Database) {}

    final override func advance(_ database: Database) -> Advance {
        if self.stage == 0 {
            self.rows = database.tables.shards
            self.snapshotMembers = database.tables.members
        }
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful else { return self.over() }
        switch self.stage {
        case 2:
            let numbers = self.numbers
            while self.next < numbers.count {
                let number = numbers[self.next]
                guard self.isMeant(number, self.rows[number], database) else {
                    self.next += 1
                    continue
                }
                guard self.lock(.shard(number), self.mode, in: database) else { return .wait }
                if self.isMeant(number, database.tables.shards[number], database) {
                    self.locked.append(number)
                }
                self.next += 1
            }
            self.stage = 3
            return .more
        case 3:
            guard self.prepare(database) else { return .wait }
            self.stage = 4
            return .more
        default:
            self.rows = []
            guard !self.locked.isEmpty else { return self.over() }
            self.write(database)
            database.synced()
            return self.over()
        }
    }

    private final func over() -> Advance {
        self.rows = []
        self.snapshotMembers = []
        return .committed
    }

    final func lives(_ incarnation: Int64) -> Bool {
        self.snapshotMembers.contains { $0.incarnation == incarnation && $0.isLive }
    }

    /// In the order of the numbers.
    final func titles(_ epoch: (Int) -> Int64?) -> [ShardTitle] {
        self.locked.compactMap { index in
            guard let number = ShardNumber(index), let raw = epoch(index), let epoch = Epoch(rawValue: raw)
            else { return nil }
            return ShardTitle(number: number, epoch: epoch)
        }
    }
}

/// `assign`: the leader's word.
final class AssignShardsStatement: ShardWriteStatement {
    let moves: [ShardMove]
    let term: Int64
    private var leads = false
    private(set) var written: [ShardNumber] = []

    init(_ moves: [ShardMove], _ leader: LeaderRight) {
        self.moves = moves.sorted { $0.number < $1.number }
        self.term = leader.term
        super.init(
            slot: leader.right.slot.rawValue, incarnation: leader.right.incarnation.rawValue)
    }

    override var title: String { "assign shards" }
    override var numbers: [Int] { self.moves.map { Int($0.number.rawValue) } }
    override var mode: LockMode { .noKeyUpdate }

    override func isMeant(_ number: Int, _ row: ShardRow, _ database: Database) -> Bool {
        guard let move = self.moves.first(where: { Int($0.number.rawValue) == number }) else { return false }
        return row.wanted == move.from?.rawValue && self.lives(move.to.rawValue)
    }

    /// The cluster's row is locked last.
    override func prepare(_ database: Database) -> Bool {
        guard !self.locked.isEmpty else { return true }
        guard self.lock(.cluster, .noKeyUpdate, in: database) else { return false }
        let cluster = database.tables.cluster
        self.leads = cluster.leaderTerm == self.term && cluster.leaderIncarnation == self.incarnation
        return true
    }

    override func write(_ database: Database) {
        guard self.leads else {
            database.judge?.stage.coverage.count(.staleLeaderRefused)
            return
        }
        database.judge?.leaderWrote(term: self.term, by: self.incarnation)
        for move in self.moves where self.locked.contains(Int(move.number.rawValue)) {
            let number = Int(move.number.rawValue)
            database.tables.shards[number].wanted = move.to.rawValue
            database.tables.shards[number].term = self.term
            database.tables.shards[number].movedAt = database.clock
            database.judge?.stage.story.tell(.assigned(shard: number, to: move.to.rawValue))
            self.written.append(move.number)
        }
        database.tables.shardChanges += 1
        database.tables.cluster.shardVersion += 1
        database.judge?.stage.coverage.count(.shardAssigned)
    }
}

/// `take`: where nobody owns it, or only who is not live.
final class TakeShardsStatement: ShardWriteStatement {
    let takings: [ShardTaking]
    private(set) var taken: [ShardTitle] = []
    private var epoch: Int64 = 0

    init(_ takings: [ShardTaking], _ right: NodeRight) {
        self.takings = takings.sorted { $0.number < $1.number }
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "take shards" }
    override var numbers: [Int] { self.takings.map { Int($0.number.rawValue) } }

    override func isMeant(_ number: Int, _ row: ShardRow, _ database: Database) -> Bool {
        guard let taking = self.takings.first(where: { Int($0.number.rawValue) == number }),
            row.wanted == self.incarnation
        else { return false }
        if database.twin == .shardTakenFromTheLiving { return true }
        guard row.epoch == taking.after?.rawValue else { return false }
        guard let owner = row.owner, owner != self.incarnation else { return true }
        return !self.lives(owner)
    }

    override func prepare(_ database: Database) -> Bool {
        if !self.locked.isEmpty { self.epoch = database.drawEpoch() }
        return true
    }

    override func write(_ database: Database) {
        for number in self.locked {
            database.judge?.tookShard(number, epoch: self.epoch, by: self.incarnation)
            database.tables.shards[number].owner = self.incarnation
            database.tables.shards[number].epoch = self.epoch
        }
        database.tables.shardChanges += 1
        self.taken = self.titles { _ in self.epoch }
    }
}

/// Writes of an owner by its titles: `release`, `report`, and any write of standing work.
final class OwnShardsStatement: ShardWriteStatement {
    enum Purpose {
        case release
        /// Smoothed loads, in the order of the titles.
        case report([Double])
        case work
    }

    let owned: [ShardTitle]
    let purpose: Purpose
    /// Those that it had until this very statement.
    private(set) var proven: [ShardTitle] = []

    init(_ titles: [ShardTitle], _ purpose: Purpose, _ right: NodeRight) {
        self.owned = titles
        self.purpose = purpose
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String {
        switch self.purpose {
        case .release: "release shards"
        case .report: "report loads"
        case .work: "write for a shard"
        }
    }
    override var numbers: [Int] { self.owned.map { Int($0.number.rawValue) }.sorted() }
    override var mode: LockMode {
        switch self.purpose {
        case .release: .update
        case .report: .noKeyUpdate
        case .work: .keyShare
        }
    }

    override func isMeant(_ number: Int, _ row: ShardRow, _ database: Database) -> Bool {
        guard let title = self.owned.first(where: { Int($0.number.rawValue) == number }) else { return false }
        if case .work = self.purpose, database.twin == .shardUnproven { return true }
        return row.epoch == title.epoch.rawValue && row.owner == self.incarnation
    }

    /// The cluster's row is locked last.
    override func prepare(_ database: Database) -> Bool {
        guard case .release = self.purpose, !self.locked.isEmpty else { return true }
        return self.lock(.cluster, .noKeyUpdate, in: database)
    }

    override func write(_ database: Database) {
        if case .release = self.purpose { database.tables.cluster.shardVersion += 1 }
        for (index, title) in self.owned.enumerated()
        where self.locked.contains(Int(title.number.rawValue)) {
            let number = Int(title.number.rawValue)
            switch self.purpose {
            case .release:
                database.tables.shards[number].owner = nil
                database.tables.shardChanges += 1
                database.judge?.releasedShard(number, epoch: title.epoch.rawValue, by: self.incarnation)
            case .report(let loads): database.tables.shards[number].load = loads[index]
            case .work:
                database.tables.shards[number].writes += 1
                database.judge?.wroteShard(number, epoch: title.epoch.rawValue, by: self.incarnation)
            }
        }
        let locked = Set(self.locked)
        self.proven = self.owned.filter { locked.contains(Int($0.number.rawValue)) }.sorted {
            $0.number < $1.number
        }
    }
}
