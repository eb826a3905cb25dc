/// A statement as a small program: each call of ``advance(_:)`` is one atomic step.
///
/// A step that finds a row locked answers `wait` and is taken again when the row is free: what was read before
/// the wait is of the old snapshot, and only the locked row itself is read anew (as PostgreSQL does at READ
/// COMMITTED). All writes happen in the last step, so a commit is visible at once and as a whole.
class Statement {
    enum Advance: Equatable {
        /// There is another step.
        case more
        /// A lock is not free: the step did nothing.
        case wait
        case committed
        /// Nothing happened, with this SQLSTATE.
        case failed(String)
    }

    /// The database's number for it while it runs.
    final var number = 0
    /// The next step.
    final var stage = 0
    final var held: [RowKey] = []
    final var waitsFor: RowKey?
    /// Nanoseconds; see ``TrueTime``.
    final var startedAt: Int64 = 0
    final var waitingSince: Int64 = 0
    final var session = 0
    final var isOver = false
    /// Its session was ended: nothing of it may happen any more.
    final var isCutOff = false
    /// A statement whose answer was lost; its session is ended before this one looks.
    final var ends: Statement?

    /// For stories and counters.
    var title: String { "statement" }

    func advance(_ database: Database) -> Advance { .committed }

    /// Takes a lock and goes on to the next step.
    final func lock(_ key: RowKey, _ mode: LockMode, in database: Database) -> Bool {
        guard database.locks.take(key, mode, for: self.number) else {
            self.waitsFor = key
            return false
        }
        self.held.append(key)
        self.waitsFor = nil
        return true
    }
}
