import DequeModule

/// Decides how many entries of one kind go into a statement of the transfer log, and when it leaves.
///
/// A statement costs the server as much as twenty rows do. So what comes seldom leaves at once, and while it comes fast
/// the statements keep a pace, each with what has come meanwhile.
struct TransferLogLine<Entry: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    private let batch: Int
    private let pace: Duration
    private var entries: Deque<Entry> = []
    /// What the next statement takes at most; less than a batch while a bad entry is looked for.
    private var size: Int
    /// When the next statement leaves, if it is not full before.
    private var dueAt: Instant?
    /// A statement with so many entries keeps the pace: while one was under way, as many came.
    private static var many: Int { 4 }

    init(batch: Int, pace: Duration) {
        self.batch = batch
        self.pace = pace
        self.size = batch
    }

    var count: Int { self.entries.count }

    mutating func add(_ entry: Entry) { self.entries.append(entry) }

    func contains(where isWanted: (Entry) -> Bool) -> Bool { self.entries.contains(where: isWanted) }

    /// When the next statement leaves, `now` if it can; nil when there is nothing to write.
    func due(at now: Instant, hurries: Bool) -> Instant? {
        guard !self.entries.isEmpty else { return nil }
        guard let dueAt = self.dueAt, !hurries, self.entries.count < self.size else { return now }
        return max(dueAt, now)
    }

    /// What to write; it stays in the line until ``wrote(_:_:)``.
    mutating func take(at now: Instant) -> [Entry] {
        let taken = Array(self.entries.prefix(self.size))
        self.dueAt = taken.count < Self.many ? nil : now + self.pace
        return taken
    }

    /// - Returns: whether the one entry of the batch is given up.
    mutating func wrote(_ count: Int, _ outcome: TransferLogQueue.Outcome) -> Bool {
        switch outcome {
        case .written:
            self.entries.removeFirst(count)
            self.size = min(self.batch, self.size * 2)
            return false
        case .notNow:
            return false
        case .refused:
            // One bad entry must not hold up the others: it is found by halves, so with few statements.
            self.size = max(1, count / 2)
            guard count == 1 else { return false }
            self.entries.removeFirst()
            return true
        }
    }
}
