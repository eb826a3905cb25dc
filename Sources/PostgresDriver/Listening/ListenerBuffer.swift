import DequeModule

/// Decides what a subscriber hears and in what order: bounded, and never silent about what is missing.
package struct ListenerBuffer: Sendable {
    package enum Event: Sendable, Equatable {
        case notification(PostgresNotification)
        /// Something may have been missed; what was notified from now on comes after this.
        case missed(Missed)
    }

    package enum Missed: Sendable, Equatable {
        /// The connection was new: nobody listened before.
        case notListening
        /// So many notifications came faster than they were taken.
        case tooSlow(Int)
    }

    private let limit: Int
    private var events: Deque<PostgresNotification> = []
    private var wasNotListening = false
    private var overrun = 0

    /// - Parameter limit: notifications that are kept, at least one.
    package init(limit: Int) { self.limit = max(limit, 1) }

    package var isEmpty: Bool { self.events.isEmpty && !self.wasNotListening && self.overrun == 0 }

    /// A new connection listens.
    ///
    /// What was notified before is still delivered, after the event that says so.
    package mutating func beganToListen() { self.wasNotListening = true }

    /// When full, the oldest leaves.
    package mutating func append(_ notification: PostgresNotification) {
        if self.events.count == self.limit {
            self.events.removeFirst()
            self.overrun += 1
        }
        self.events.append(notification)
    }

    /// What was missed comes first: whoever reads everything anew then also sees what the older ones told.
    package mutating func next() -> Event? {
        if self.wasNotListening {
            self.wasNotListening = false
            // Reading everything anew makes good for both.
            self.overrun = 0
            return .missed(.notListening)
        }
        if self.overrun > 0 {
            defer { self.overrun = 0 }
            return .missed(.tooSlow(self.overrun))
        }
        return self.events.popFirst().map { .notification($0) }
    }
}
