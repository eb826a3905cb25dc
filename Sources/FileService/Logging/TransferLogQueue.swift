package import ClusterPorts

package import struct Foundation.UUID

/// Decides what the transfer log writes next, and when whoever adds must wait.
package struct TransferLogQueue {
    package enum Batch: Equatable {
        case finish([FinishedOperation])
        case record([TransferRecord])

        package var count: Int {
            switch self {
            case .finish(let operations): operations.count
            case .record(let records): records.count
            }
        }
    }

    /// Of writing a batch.
    package enum Outcome: Equatable {
        case written
        /// Trying the same again is safe and may help.
        case notNow
        /// The database will never take it as it is.
        case refused
    }

    package enum OnWritten: Equatable {
        case goOn
        /// Try again after a pause.
        case pause
        /// One entry was given up.
        case lost(Batch)
    }

    package enum Next: Equatable {
        case write(Batch)
        /// Nothing yet; ask again then, or when something was added that may not wait.
        case wait(until: Instant)
        case nothing
    }

    package typealias Instant = ContinuousClock.Instant

    private let limit: Int
    private var finished: TransferLogLine<FinishedOperation>
    private var records: TransferLogLine<TransferRecord>
    private var recordsNext = false
    private var isHurried = false

    /// - Parameters:
    ///   - batch: the most in one statement.
    ///   - limit: entries of both kinds.
    ///   - pace: from one statement of a kind to the next, while there is much of it.
    package init(batch: Int, limit: Int, pace: Duration) {
        self.limit = limit
        self.finished = TransferLogLine(batch: batch, pace: pace)
        self.records = TransferLogLine(batch: batch, pace: pace)
    }

    package var count: Int { self.finished.count + self.records.count }
    package var isFull: Bool { self.count >= self.limit }

    package mutating func add(_ operation: FinishedOperation) { self.finished.add(operation) }
    package mutating func add(_ record: TransferRecord) { self.records.add(record) }

    /// Somebody waits for the end of a decided change: the next finished ones are written at once.
    ///
    /// - Returns: false when it is not here.
    package mutating func hurry(_ operation: UUID) -> Bool {
        guard self.finished.contains(where: { $0.operation.id == operation }) else { return false }
        self.isHurried = true
        return true
    }

    /// What to write now; it stays in the queue until ``wrote(_:_:)``.
    ///
    /// Takes turns between the two kinds.
    ///
    /// - Parameter isLast: the node stops, so nothing more is waited for.
    package mutating func next(at now: Instant, isLast: Bool = false) -> Next {
        let hurries = isLast || self.isFull
        let finish = self.finished.due(at: now, hurries: hurries || self.isHurried)
        let record = self.records.due(at: now, hurries: hurries)
        guard let due = [finish, record].compactMap({ $0 }).min() else { return .nothing }
        guard due <= now else { return .wait(until: due) }
        let takesRecord = record.map { $0 <= now } ?? false
        let takesFinish = finish.map { $0 <= now } ?? false
        self.recordsNext.toggle()
        if takesRecord, self.recordsNext || !takesFinish {
            return .write(.record(self.records.take(at: now)))
        }
        self.isHurried = false
        return .write(.finish(self.finished.take(at: now)))
    }

    package mutating func wrote(_ batch: Batch, _ outcome: Outcome) -> OnWritten {
        let isLost =
            switch batch {
            case .finish(let operations): self.finished.wrote(operations.count, outcome)
            case .record(let records): self.records.wrote(records.count, outcome)
            }
        if isLost { return .lost(batch) }
        return outcome == .notNow ? .pause : .goOn
    }
}
