import ClusterModel

/// `LeaseStore.acquire`: each request for itself, sorted by subject; a conflict takes that request out of the batch.
final class AcquireStatement: RightfulStatement {
    let requests: [LeaseRequest]
    /// In the order of the requests.
    private(set) var answers: [LeaseAnswer]
    private let order: [Int]
    private var next = 0
    /// Which of the request's unique keys comes next: subject, order key, limit.
    private var part = 0
    private var granted: [Int: LeaseRow] = [:]

    init(_ requests: [LeaseRequest], _ right: NodeRight) {
        self.requests = requests
        self.answers = Array(repeating: .fenced, count: requests.count)
        self.order = requests.indices.sorted { requests[$0].subject < requests[$1].subject }
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "acquire" }

    override func advance(_ database: Database) -> Advance {
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful else { return .committed }
        guard self.next < self.order.count else {
            self.insert(database)
            return .committed
        }
        let request = self.requests[self.order[self.next]]
        switch self.part {
        case 0:
            return self.take(.lease(request.subject), denied: .taken, database) {
                database.tables.leases[request.subject] != nil && database.twin != .grantOverHolder
            }
        case 1:
            guard let key = request.orderKey else { return self.go() }
            return self.take(.leaseOrder(key), denied: .outOfOrder, database) {
                database.tables.leases.contains { $0.value.orderKey == key }
                    || self.granted.contains { $0.value.orderKey == key }
            }
        default: return self.limit(request, database)
        }
    }

    private func go() -> Advance {
        self.part += 1
        return .more
    }

    private func deny(_ answer: LeaseAnswer) -> Advance {
        self.answers[self.order[self.next]] = answer
        self.next += 1
        self.part = 0
        return .more
    }

    /// An insert into a unique index waits for one of the same value that is in flight.
    private func take(
        _ key: RowKey, denied: LeaseAnswer, _ database: Database, isTaken: () -> Bool
    ) -> Advance {
        if isTaken() { return self.deny(denied) }
        guard self.lock(key, .update, in: database) else { return .wait }
        return self.go()
    }

    private func limit(_ request: LeaseRequest, _ database: Database) -> Advance {
        let index = self.order[self.next]
        var row = LeaseRow(
            epoch: 0, slot: self.slot, incarnation: self.incarnation, orderKey: request.orderKey,
            limit: request.limit, limitSlot: 0, deadline: request.deadline, acquiredAt: 0)
        if let limit = request.limit {
            var used = Set(
                database.tables.leases.values.filter { $0.limit?.key == limit.key }.map(\.limitSlot))
            used.formUnion(self.granted.values.filter { $0.limit?.key == limit.key }.map(\.limitSlot))
            guard let free = (1...limit.slots).first(where: { !used.contains($0) }) else {
                return self.deny(.limited)
            }
            guard self.lock(.leaseSlot(limit.key, free), .update, in: database) else { return .wait }
            row.limitSlot = free
        }
        row.epoch = self.draw(database)
        self.granted[index] = row
        self.next += 1
        self.part = 0
        return .more
    }

    /// `nextval`: goes on whatever becomes of the statement.
    private func draw(_ database: Database) -> Int64 {
        let timeline = database.tables.cluster.timeline << Incarnation.sequenceBits
        if database.twin == .epochsStartAgain {
            let highest = database.tables.leases.values.map(\.epoch).max() ?? timeline
            return highest + Int64(self.granted.count) + 1
        }
        database.tables.cluster.lastEpoch += 1
        return timeline + database.tables.cluster.lastEpoch
    }

    private func insert(_ database: Database) {
        for index in self.order {
            guard var row = self.granted[index], let epoch = Epoch(rawValue: row.epoch) else { continue }
            row.acquiredAt = database.clock
            let subject = self.requests[index].subject
            database.judge?.granted(LeaseTitle(subject: subject, epoch: epoch), row, database.tables)
            database.tables.leases[subject] = row
            self.answers[index] = .granted(epoch)
        }
        database.synced()
    }
}

/// Deletes leases by subject, epoch and incarnation: `end`, `forceEnd`, the sweeps.
class DeleteLeasesStatement: RightfulStatement {
    final var titles: [LeaseTitle]
    /// Which of the titles this statement deleted.
    final var deleted: [Bool]
    final private var next = 0

    init(_ titles: [LeaseTitle], slot: Int16, incarnation: Int64) {
        self.titles = titles
        self.deleted = Array(repeating: false, count: titles.count)
        super.init(slot: slot, incarnation: incarnation)
    }

    /// Whether the row may go, as it stands after its lock was taken.
    func mayDelete(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) -> Bool { false }
    func isDeleted(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) {}
    /// Rows that somebody else has locked are left out instead of waited for.
    var skipsLocked: Bool { false }
    /// Chosen after the right was checked, from what can be read then.
    func choose(_ database: Database) {}

    final override func advance(_ database: Database) -> Advance {
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful else { return .committed }
        if self.stage == 2 {
            self.choose(database)
            self.stage = 3
            return .more
        }
        guard self.next < self.titles.count else {
            self.delete(database)
            return .committed
        }
        let title = self.titles[self.next]
        if let row = database.tables.leases[title.subject], self.mayDelete(title, row, database) {
            guard self.lock(.lease(title.subject), .update, in: database) else {
                guard self.skipsLocked else { return .wait }
                self.waitsFor = nil
                self.next += 1
                return .more
            }
            self.deleted[self.next] = true
        }
        self.next += 1
        return .more
    }

    private func delete(_ database: Database) {
        for (index, title) in self.titles.enumerated() where self.deleted[index] {
            guard let row = database.tables.leases[title.subject] else { continue }
            let isKept = database.twin == .endKeepsRow && self is EndStatement
            if !isKept { database.tables.leases[title.subject] = nil }
            self.isDeleted(title, row, database)
        }
        database.synced()
    }
}

/// `LeaseStore.end`: the completion that must be accepted once.
final class EndStatement: DeleteLeasesStatement {
    init(_ titles: [LeaseTitle], _ right: NodeRight) {
        super.init(
            titles.sorted { $0.subject < $1.subject }, slot: right.slot.rawValue,
            incarnation: right.incarnation.rawValue)
    }

    override var title: String { "complete" }

    override func mayDelete(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) -> Bool {
        if database.twin == .epochUnchecked { return true }
        return row.epoch == title.epoch.rawValue && row.incarnation == self.incarnation
    }

    override func isDeleted(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) {
        database.judge?.completed(title, by: self.incarnation)
    }

    /// In the order of these titles.
    func answers(to titles: [LeaseTitle]) -> [Bool] {
        var ended: Set<LeaseTitle> = []
        for (index, title) in self.titles.enumerated() where self.deleted[index] { ended.insert(title) }
        return titles.map { ended.contains($0) }
    }
}

/// `LeaseStore.sweepDead`: leases of incarnations without a live member row.
final class SweepDeadStatement: DeleteLeasesStatement {
    let limit: Int

    init(limit: Int, _ right: NodeRight) {
        self.limit = limit
        super.init([], slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "sweep the dead" }
    override var skipsLocked: Bool { true }

    override func choose(_ database: Database) {
        let dead = database.tables.leases.filter {
            database.tables.livingSlot(of: $0.value.incarnation) == nil
        }
        // Holders one after the other, as they are read off the index.
        let ordered = dead.sorted {
            ($0.value.incarnation, $0.value.epoch) < ($1.value.incarnation, $1.value.epoch)
        }.prefix(self.limit)
        self.titles = ordered.compactMap { subject, row in
            Epoch(rawValue: row.epoch).map { LeaseTitle(subject: subject, epoch: $0) }
        }
        self.deleted = Array(repeating: false, count: self.titles.count)
    }

    override func mayDelete(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) -> Bool {
        row.epoch == title.epoch.rawValue
    }

    override func isDeleted(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) {
        database.judge?.swept(title, row)
    }
}

/// `LeaseStore.sweepOverdue`, and an operator's `forceEnd`: the holder lives and is told by a numbered loss.
final class TakeAwayStatement: DeleteLeasesStatement {
    let isForced: Bool

    init(_ titles: [LeaseTitle], _ right: NodeRight, isForced: Bool = false) {
        self.isForced = isForced
        super.init(titles, slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { self.isForced ? "take a lease away" : "sweep the overdue" }
    override var skipsLocked: Bool { true }

    override func mayDelete(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) -> Bool {
        row.epoch == title.epoch.rawValue && (self.isForced || row.deadline != nil)
    }

    override func isDeleted(_ title: LeaseTitle, _ row: LeaseRow, _ database: Database) {
        database.noteLoss(title, of: row)
        database.judge?.swept(title, row)
        if !self.isForced { database.judge?.stage.coverage.count(.overdueSwept) }
    }
}

/// Reads of leases: of subjects, of those with deadlines, of what was taken away.
final class ReadLeasesStatement: Statement {
    let subjects: [LeaseSubject]
    private(set) var records: [LeaseRecord] = []

    init(_ subjects: [LeaseSubject]) { self.subjects = subjects }

    override var title: String { "read leases" }

    override func advance(_ database: Database) -> Advance {
        for subject in self.subjects {
            guard let row = database.tables.leases[subject] else { continue }
            if let record = LeaseRecord(subject, row, now: database.clock) { self.records.append(record) }
        }
        return .committed
    }
}

final class DeadlinesStatement: Statement {
    let after: Epoch?
    let limit: Int
    private(set) var records: [LeaseRecord] = []

    init(after: Epoch?, limit: Int) {
        self.after = after
        self.limit = limit
    }

    override var title: String { "read the deadlines" }

    override func advance(_ database: Database) -> Advance {
        let from = self.after?.rawValue ?? 0
        let rows = database.tables.leases.filter { $0.value.deadline != nil && $0.value.epoch > from }
        self.records = rows.sorted { $0.value.epoch < $1.value.epoch }.prefix(self.limit).compactMap {
            LeaseRecord($0.key, $0.value, now: database.clock)
        }
        return .committed
    }
}

final class LossesStatement: Statement {
    let incarnation: Int64
    let after: Int64
    private(set) var losses: [LeaseLoss] = []

    init(of incarnation: Int64, after: Int64) {
        self.incarnation = incarnation
        self.after = after
    }

    override var title: String { "read what was lost" }

    override func advance(_ database: Database) -> Advance {
        self.losses = (database.tables.losses[self.incarnation] ?? []).filter { $0.number > self.after }
        return .committed
    }
}

extension LeaseRecord {
    init?(_ subject: LeaseSubject, _ row: LeaseRow, now: Int64) {
        guard let epoch = Epoch(rawValue: row.epoch),
            let incarnation = Incarnation(rawValue: row.incarnation),
            let name = NodeName("node")
        else { return nil }
        self.init(
            title: LeaseTitle(subject: subject, epoch: epoch), slot: Slot(row.slot), node: name,
            incarnation: incarnation, orderKey: row.orderKey, limit: row.limit, deadline: row.deadline,
            age: .microseconds(now - row.acquiredAt))
    }
}
