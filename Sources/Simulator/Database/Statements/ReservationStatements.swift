import ClusterModel

/// `reserve`: takes all the names of an operation, or none.
///
/// Only the differential run uses reservations today; the nodes of a simulated run upload.
final class ReserveStatement: RightfulStatement {
    enum Verdict {
        case reserved
        case fenced
        case busyName
    }

    let paths: [FileKey]
    let operation: Int
    private(set) var verdict: Verdict = .fenced
    private var next = 0

    init(_ paths: [FileKey], operation: Int, _ right: NodeRight) {
        self.paths = Set(paths).sorted()
        self.operation = operation
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "reserve" }

    override func advance(_ database: Database) -> Advance {
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful else { return .committed }
        if self.stage == 2 {
            self.stage = 3
            return self.paths.contains { database.tables.names[$0] != nil } ? self.busy() : .more
        }
        guard self.next == self.paths.count else {
            // An insert into a unique index waits for one of the same value, and fails when that one has committed.
            let path = self.paths[self.next]
            guard self.lock(.name(path), .update, in: database) else { return .wait }
            guard database.tables.names[path] == nil else { return self.busy() }
            self.next += 1
            return .more
        }
        for path in self.paths {
            database.tables.names[path] = NameRow(
                operation: self.operation, incarnation: self.incarnation,
                staged: StagedFileID(incarnation: self.incarnation, operation: self.operation),
                isDecided: false)
        }
        database.synced()
        self.verdict = .reserved
        return .committed
    }

    private func busy() -> Advance {
        self.verdict = .busyName
        return .committed
    }
}

/// `decide(_:of:by:)`: a reservation becomes a decision.
final class DecideReservedStatement: RightfulStatement {
    enum Verdict {
        case decided
        case fenced
        case gone
    }

    let operation: Int
    private(set) var verdict: Verdict = .fenced
    private var mine: [FileKey] = []
    private var next = 0

    init(_ operation: Int, _ right: NodeRight) {
        self.operation = operation
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "decide a reservation" }

    private func isMine(_ row: NameRow) -> Bool {
        row.operation == self.operation && row.incarnation == self.incarnation && !row.isDecided
    }

    override func advance(_ database: Database) -> Advance {
        if let advance = self.checkRight(database) { return advance }
        guard self.isRightful else { return .committed }
        switch self.stage {
        case 2:
            guard self.lock(.home, .share, in: database) else { return .wait }
            self.mine = database.tables.names.filter { self.isMine($0.value) }.map(\.key).sorted()
            self.stage = 3
            return .more
        default:
            guard self.next == self.mine.count else {
                guard self.lock(.name(self.mine[self.next]), .update, in: database) else { return .wait }
                self.next += 1
                return .more
            }
        }
        self.verdict = .gone
        for path in self.mine {
            guard let row = database.tables.names[path], self.isMine(row) else { continue }
            database.tables.names[path]?.isDecided = true
            self.verdict = .decided
        }
        database.synced()
        return .committed
    }
}

/// `abandon` and `abandonAll(of:)`: reservations are given up, decisions stay.
final class AbandonStatement: Statement {
    enum Whose {
        /// What this incarnation reserved for it.
        case operation(Int, Int64)
        /// Of an incarnation whose death is recorded: nothing of it can be in flight.
        case departed(Int64)
    }

    let whose: Whose
    private(set) var count = 0
    private var rows: [FileKey] = []
    private var next = 0

    init(_ whose: Whose) { self.whose = whose }

    override var title: String { "abandon" }

    private func isMeant(_ row: NameRow) -> Bool {
        guard !row.isDecided else { return false }
        return switch self.whose {
        case .operation(let operation, let incarnation):
            row.operation == operation && row.incarnation == incarnation
        case .departed(let incarnation): row.incarnation == incarnation
        }
    }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 {
            if case .departed(let incarnation) = self.whose, database.tables.departure(incarnation) == nil {
                return .committed
            }
            self.rows = database.tables.names.filter { self.isMeant($0.value) }.map(\.key).sorted()
            self.stage = 1
            return .more
        }
        guard self.next == self.rows.count else {
            guard self.lock(.name(self.rows[self.next]), .update, in: database) else { return .wait }
            self.next += 1
            return .more
        }
        for path in self.rows {
            guard let row = database.tables.names[path], self.isMeant(row) else { continue }
            database.tables.names[path] = nil
            self.count += 1
        }
        database.synced()
        return .committed
    }
}
