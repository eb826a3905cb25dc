import ClusterModel

/// `decide`: the name's row appears, or nothing does.
///
/// The moment of truth for a file.
final class DecideStatement: RightfulStatement {
    enum Verdict {
        case decided
        case fenced
        case busyName
    }

    let path: FileKey
    let staged: StagedFileID
    private(set) var verdict: Verdict = .fenced

    init(_ path: FileKey, _ staged: StagedFileID, _ right: NodeRight) {
        self.path = path
        self.staged = staged
        super.init(slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
    }

    override var title: String { "decide" }

    override func advance(_ database: Database) -> Advance {
        if database.twin != .decideUnfenced || self.stage >= 2 {
            if let advance = self.checkRight(database) { return advance }
        } else {
            self.stage = 2
        }
        guard self.isRightful || database.twin == .decideUnfenced else { return .committed }
        if self.stage == 2 {
            // Decisions lock the home against marks of folders, which nobody sets here.
            guard self.lock(.home, .share, in: database) else { return .wait }
            self.stage = 3
            return .more
        }
        if self.stage == 3 {
            if database.tables.names[self.path] != nil, database.twin != .decideOverName {
                self.verdict = .busyName
                return .committed
            }
            guard self.lock(.name(self.path), .update, in: database) else { return .wait }
            self.stage = 4
            return .more
        }
        if database.tables.names[self.path] != nil, database.twin != .decideOverName {
            self.verdict = .busyName
            return .committed
        }
        database.tables.names[self.path] = NameRow(
            operation: self.staged.operation, incarnation: self.incarnation, staged: self.staged)
        database.synced()
        self.verdict = .decided
        database.judge?.decided(path: self.path.path, self.staged, by: self.incarnation)
        return .committed
    }
}

/// `finish`: the decided row goes away and the transfer log gets its end.
///
/// Needs no right: what was decided stays so.
final class FinishStatement: Statement {
    let path: FileKey
    let operation: Int
    let completed: Bool
    private(set) var finished = false

    init(_ path: FileKey, operation: Int, completed: Bool) {
        self.path = path
        self.operation = operation
        self.completed = completed
    }

    override var title: String { "finish" }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 {
            guard database.tables.names[self.path]?.operation == self.operation else { return .committed }
            guard self.lock(.name(self.path), .update, in: database) else { return .wait }
            self.stage = 1
            return .more
        }
        guard let row = database.tables.names[self.path], row.operation == self.operation, row.isDecided
        else { return .committed }
        database.tables.names[self.path] = nil
        database.tables.log[self.operation] = LogRow(completed: self.completed)
        database.synced()
        database.judge?.finished(row.staged)
        self.finished = true
        return .committed
    }
}

/// Reads what is unfinished: of a path, or of an incarnation; and the log of one operation, read after the row.
final class UnfinishedStatement: Statement {
    enum Question {
        case path(FileKey)
        case incarnation(Int64)
    }

    let question: Question
    let operation: Int?
    private(set) var rows: [(FileKey, NameRow)] = []
    private(set) var log: LogRow?

    init(_ question: Question, log operation: Int? = nil) {
        self.question = question
        self.operation = operation
    }

    override var title: String { "read what is unfinished" }

    override func advance(_ database: Database) -> Advance {
        guard self.stage == 0 else {
            self.log = self.operation.flatMap { database.tables.log[$0] }
            return .committed
        }
        switch self.question {
        case .path(let path):
            if let row = database.tables.names[path] { self.rows = [(path, row)] }
        case .incarnation(let incarnation):
            let rows = database.tables.names.filter { $0.value.incarnation == incarnation }
            self.rows = rows.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
        self.stage = 1
        return .more
    }
}
