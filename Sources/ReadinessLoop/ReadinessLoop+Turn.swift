import CLinux
import Glibc
import Synchronization

extension ReadinessLoop {
    /// What belongs to the loop's thread alone.
    final class Confined {
        var watches: [UInt64: Watch] = [:]
        var lastToken: UInt64 = 0
        var timers = DueHeap<LoopTimer>()
        var endOfTurn: [() -> Void] = []
        var now = ContinuousClock.now
        /// What was taken from the inbox and has not run yet, from `next` on.
        var batch: [Item] = []
        var next = 0
    }

    /// The time at which this turn's events were seen; loop's thread only.
    package var now: ContinuousClock.Instant {
        self.preconditionOnLoop()
        return unsafe self.confined.now
    }

    /// Runs `work` once, after the events, jobs and timers of this turn; loop's thread only.
    ///
    /// This is where connections flush: many statements of one turn leave in one write.
    package func atEndOfTurn(_ work: @escaping () -> Void) {
        self.preconditionOnLoop()
        unsafe self.confined.endOfTurn.append(work)
    }

    func runUntilStopped() {
        let confined = unsafe self.confined
        let events = UnsafeMutablePointer<flotilla_event>.allocate(capacity: Limits.eventsPerTurn)
        defer { unsafe events.deallocate() }
        while !self.mayStop(confined) {
            let timeout = self.waitLimit(confined)
            let count = unsafe flotilla_epoll_wait(self.epoll, events, CInt(Limits.eventsPerTurn), timeout)
            precondition(count >= 0, "epoll_wait failed with errno \(errno)")
            self.inbox.withLock { $0.isAsleep = false }
            confined.now = ContinuousClock.now
            for index in 0..<Int(count) {
                let event = unsafe events[index]
                if event.token == 0 {
                    flotilla_eventfd_drain(self.bell)
                } else if let watch = confined.watches[event.token] {
                    watch.handler(Readiness(rawValue: event.readiness))
                }
            }
            self.runItems(confined)
            while let timer = confined.timers.popDue(at: confined.now) { timer.fire() }
            self.runEndOfTurn(confined)
        }
        confined.watches.removeAll()
        confined.timers = DueHeap<LoopTimer>()
        // The last work that ran is still listed, and mostly holds somebody who holds the loop: a circle.
        confined.batch = []
        confined.next = 0
        confined.endOfTurn = []
    }

    private func runItems(_ confined: Confined) {
        if confined.next == confined.batch.count {
            confined.batch.removeAll(keepingCapacity: confined.batch.count <= Limits.itemsPerTurn)
            confined.next = 0
            self.inbox.withLock { swap(&$0.items, &confined.batch) }
        }
        let end = min(confined.batch.count, confined.next + Limits.itemsPerTurn)
        while confined.next < end {
            let item = confined.batch[confined.next]
            confined.next += 1
            switch item {
            case .job(let job): unsafe job.runSynchronously(on: self.asUnownedSerialExecutor())
            case .task(let job, let executor): unsafe job.runSynchronously(on: executor)
            case .work(let work): work()
            }
        }
        guard confined.next == confined.batch.count else { return }
        // What has run may hold descriptors, and the next turn may be far away.
        confined.batch.removeAll(keepingCapacity: confined.batch.count <= Limits.itemsPerTurn)
        confined.next = 0
    }

    /// What these add for the end of the turn runs in it too: the list is walked by index.
    private func runEndOfTurn(_ confined: Confined) {
        var index = 0
        while index < confined.endOfTurn.count {
            confined.endOfTurn[index]()
            index += 1
        }
        confined.endOfTurn.removeAll(keepingCapacity: true)
    }

    /// Milliseconds that the thread may sleep: none while work is queued, up to the next timer, or without
    /// end.
    private func waitLimit(_ confined: Confined) -> CInt {
        guard confined.next == confined.batch.count else { return 0 }
        let maySleep = self.inbox.withLock { inbox in
            guard inbox.items.isEmpty, !inbox.isStopping else { return false }
            inbox.isAsleep = true
            return true
        }
        guard maySleep else { return 0 }
        guard let due = confined.timers.firstDue else { return -1 }
        let left = ContinuousClock.now.duration(to: due)
        guard left > .zero else { return 0 }
        // Rounded up, or a timer that is due in half a millisecond would spin.
        let (seconds, attoseconds) = left.components
        return CInt(clamping: min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    private func mayStop(_ confined: Confined) -> Bool {
        guard confined.next == confined.batch.count else { return false }
        return self.inbox.withLock { inbox in
            guard inbox.isStopping, inbox.items.isEmpty else { return false }
            inbox.isStopped = true
            return true
        }
    }
}
