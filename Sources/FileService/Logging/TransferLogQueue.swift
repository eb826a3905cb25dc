package import ClusterPorts
import DequeModule

import struct Foundation.UUID

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

    private let batch: Int
    private let limit: Int
    private var finished: Deque<FinishedOperation> = []
    private var records: Deque<TransferRecord> = []
    private var size: Int
    private var recordsNext = false

    package init(batch: Int, limit: Int) {
        self.batch = batch
        self.limit = limit
        self.size = batch
    }

    package var count: Int { self.finished.count + self.records.count }
    package var isFull: Bool { self.count >= self.limit }

    package mutating func add(_ operation: FinishedOperation) { self.finished.append(operation) }
    package mutating func add(_ record: TransferRecord) { self.records.append(record) }

    /// What to write now; it stays in the queue until ``wrote(_:_:)``.
    ///
    /// Takes turns between the two kinds.
    package mutating func next() -> Batch? {
        self.recordsNext.toggle()
        let takesRecords = self.finished.isEmpty || (self.recordsNext && !self.records.isEmpty)
        if takesRecords {
            return self.records.isEmpty ? nil : .record(Array(self.records.prefix(self.size)))
        }
        return .finish(Array(self.finished.prefix(self.size)))
    }

    package mutating func wrote(_ batch: Batch, _ outcome: Outcome) -> OnWritten {
        switch outcome {
        case .written:
            self.drop(batch)
            self.size = self.batch
            return .goOn
        case .notNow:
            return .pause
        case .refused:
            // One bad entry must not hold up the others: find it alone.
            guard batch.count == 1 else {
                self.size = 1
                return .goOn
            }
            self.drop(batch)
            return .lost(batch)
        }
    }

    private mutating func drop(_ batch: Batch) {
        switch batch {
        case .finish(let operations): self.finished.removeFirst(operations.count)
        case .record(let records): self.records.removeFirst(records.count)
        }
    }
}
