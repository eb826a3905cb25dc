import ReadinessLoop

/// Those who want to hear of a connection's end, each for a bounded time; loop's thread only.
struct EndWaiters {
    final class Ticket: @unchecked Sendable {
        fileprivate var done: ((Bool) -> Void)?
        fileprivate var timer: LoopTimer?

        fileprivate func finish(hasEnded: Bool) {
            self.timer?.cancel()
            self.timer = nil
            let done = self.done
            self.done = nil
            done?(hasEnded)
        }
    }

    private var tickets: [Ticket] = []

    mutating func add(loop: ReadinessLoop, limit: Duration, _ done: @escaping (Bool) -> Void) -> Ticket {
        self.tickets.removeAll { $0.done == nil }
        let ticket = Ticket()
        ticket.done = done
        ticket.timer = loop.schedule(after: limit) { [weak ticket] in ticket?.finish(hasEnded: false) }
        self.tickets.append(ticket)
        return ticket
    }

    mutating func finish(_ ticket: Ticket?, hasEnded: Bool) {
        ticket?.finish(hasEnded: hasEnded)
    }

    mutating func finishAll() {
        let tickets = self.tickets
        self.tickets = []
        for ticket in tickets { ticket.finish(hasEnded: true) }
    }
}
