package import ClusterModel
package import ClusterPorts

/// What a request left behind because the database or the mount did not answer.
package enum Leftover: Sendable, Hashable {
    /// A change that is decided, reserved, or of unknown outcome; `staged` has no use unless a row names it.
    case change(Operation, [HomePath], NodeRight, staged: StagedName?)
    /// A change of which nobody could tell whether it was decided; if not, the record says so in the log.
    case unknown(Operation, NameChange, NodeRight, ifUndecided: TransferRecord)
    /// Folders that stayed marked.
    case marks([HomePath], Operation, NodeRight)

    package var right: NodeRight {
        switch self {
        case .change(_, _, let right, _), .unknown(_, _, let right, _), .marks(_, _, let right): right
        }
    }
}

/// Decides when leftovers are looked at again, and when they are done.
package struct AftercareQueue {
    package typealias Instant = ContinuousClock.Instant

    package struct Entry: Sendable, Hashable {
        package var leftover: Leftover
        /// Or when a look last failed.
        package var bornAt: Instant
        package var dueAt: Instant
        package var pause: Duration
    }

    /// Of one look.
    package enum Finding: Equatable {
        /// Settled for good.
        case done
        /// Nothing is there, but a statement that is still running may make it appear.
        case nothing
        /// The database or the mount did not answer.
        case failed
    }

    /// Longer than any statement may run on the server.
    package static let lateness: Duration = .seconds(30)
    package static let longestPause: Duration = .seconds(5)

    private let limit: Int
    private(set) var entries: [Entry] = []

    package init(limit: Int) { self.limit = limit }

    package var isEmpty: Bool { self.entries.isEmpty }

    /// False when the queue is full: the leftover then stays until this incarnation has departed.
    package mutating func add(_ leftover: Leftover, at now: Instant) -> Bool {
        guard self.entries.count < self.limit else { return false }
        let pause = Duration.milliseconds(100)
        self.entries.append(Entry(leftover: leftover, bornAt: now, dueAt: now + pause, pause: pause))
        return true
    }

    /// Takes what is due; each comes back with ``looked(_:_:at:)``.
    package mutating func take(at now: Instant, limit: Int) -> [Entry] {
        var taken: [Entry] = []
        self.entries.removeAll { entry in
            guard entry.dueAt <= now, taken.count < limit else { return false }
            taken.append(entry)
            return true
        }
        return taken
    }

    package mutating func looked(_ entry: Entry, _ finding: Finding, at now: Instant) {
        switch finding {
        case .done: return
        case .nothing where now - entry.bornAt >= Self.lateness: return
        case .nothing, .failed: break
        }
        var entry = entry
        // Who does not answer may hold a statement back that it runs as soon as it answers again.
        if finding == .failed { entry.bornAt = now }
        entry.pause = min(entry.pause * 2, Self.longestPause)
        entry.dueAt = now + entry.pause
        self.entries.append(entry)
    }
}
