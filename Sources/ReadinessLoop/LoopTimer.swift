/// One thing to do at a time; belongs to the loop's thread.
package final class LoopTimer: DueEntry {
    package let due: ContinuousClock.Instant
    package var heapPosition: Int?
    package var heapOrder: UInt64 = 0
    private var work: (() -> Void)?
    private let loop: ReadinessLoop

    init(due: ContinuousClock.Instant, work: @escaping () -> Void, loop: ReadinessLoop) {
        self.due = due
        self.work = work
        self.loop = loop
    }

    /// Makes sure that the work does not run; nothing happens when it already has.
    package func cancel() {
        self.loop.preconditionOnLoop()
        self.work = nil
        unsafe self.loop.confined.timers.remove(self)
    }

    func fire() {
        let work = self.work
        self.work = nil
        work?()
    }
}

extension ReadinessLoop {
    /// Runs `work` on the loop's thread after a time; loop's thread only.
    ///
    /// Timers run in the order in which they are due, those due at the same instant in the order in which
    /// they were made.
    @discardableResult
    package func schedule(after delay: Duration, _ work: @escaping () -> Void) -> LoopTimer {
        self.schedule(at: ContinuousClock.now.advanced(by: delay), work)
    }

    @discardableResult
    package func schedule(at due: ContinuousClock.Instant, _ work: @escaping () -> Void) -> LoopTimer {
        self.preconditionOnLoop()
        let timer = LoopTimer(due: due, work: work, loop: self)
        unsafe self.confined.timers.insert(timer)
        return timer
    }
}
