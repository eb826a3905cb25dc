import DequeModule

/// Remembers who waits for which reply of a pipeline, in the order in which the commands were sent.
///
/// The server answers in order and leaves none out. So a waiter that gave up keeps its place, emptied, until
/// its reply has come: the reply is dropped then and the next one still finds its own waiter.
package struct PendingReplies<Waiter> {
    private struct Place {
        var waiter: Waiter?
        let deadline: ContinuousClock.Instant
    }

    private var places: Deque<Place> = []
    /// The number of the first place; numbers rise by one.
    package private(set) var firstNumber: UInt64 = 0
    /// Not later than the earliest deadline of those who wait; earlier when that one was answered already.
    package private(set) var nextDeadline: ContinuousClock.Instant?

    package init() {}

    package var count: Int { self.places.count }

    /// - Parameter number: one more than the last one's, or any number when nothing is pending.
    package mutating func append(_ waiter: Waiter, number: UInt64, deadline: ContinuousClock.Instant) {
        if self.places.isEmpty { self.firstNumber = number }
        precondition(
            number == self.firstNumber + UInt64(self.places.count), "reply \(number) is out of order")
        self.places.append(Place(waiter: waiter, deadline: deadline))
        self.nextDeadline = min(self.nextDeadline ?? deadline, deadline)
    }

    package enum OnReply {
        case deliver(Waiter)
        /// Whoever waited gave up.
        case late
        /// Nothing was asked.
        case unexpected
    }

    package mutating func replied() -> OnReply {
        guard let place = self.places.popFirst() else { return .unexpected }
        self.firstNumber += 1
        guard let waiter = place.waiter else { return .late }
        return .deliver(waiter)
    }

    /// Empties one place; nil when its reply has come, or it was emptied before.
    package mutating func abandon(_ number: UInt64) -> Waiter? {
        guard number >= self.firstNumber, number - self.firstNumber < UInt64(self.places.count) else {
            return nil
        }
        let index = Int(number - self.firstNumber)
        let waiter = self.places[index].waiter
        self.places[index].waiter = nil
        return waiter
    }

    /// Empties the places whose deadline has come, and finds the next deadline.
    package mutating func expire(at now: ContinuousClock.Instant) -> [Waiter] {
        guard let due = self.nextDeadline, due <= now else { return [] }
        var expired: [Waiter] = []
        var next: ContinuousClock.Instant?
        for index in self.places.indices {
            guard let waiter = self.places[index].waiter else { continue }
            let deadline = self.places[index].deadline
            if deadline <= now {
                expired.append(waiter)
                self.places[index].waiter = nil
            } else {
                next = min(next ?? deadline, deadline)
            }
        }
        self.nextDeadline = next
        return expired
    }

    /// Forgets all places; answers those who still wait.
    package mutating func removeAll() -> [Waiter] {
        defer {
            self.places.removeAll()
            self.nextDeadline = nil
        }
        return self.places.compactMap(\.waiter)
    }
}
