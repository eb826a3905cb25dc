import ReadinessLoop

/// Says when statements have waited long enough, with one timer for all of them; loop's thread only.
final class DeadlineWatch {
    private let loop: ReadinessLoop
    private var heap = DueHeap<PendingStatement>()
    private var timer: LoopTimer?
    var onDue: (PendingStatement) -> Void = { _ in }

    init(loop: ReadinessLoop) { self.loop = loop }

    func add(_ pending: PendingStatement) {
        self.heap.insert(pending)
        self.arm()
    }

    func remove(_ pending: PendingStatement) { self.heap.remove(pending) }

    func stop() {
        self.timer?.cancel()
        self.timer = nil
        self.onDue = { _ in }
    }

    /// A timer that turns out to be early only arms itself again: most statements end long before.
    private func arm() {
        guard let first = self.heap.firstDue else { return }
        if let timer = self.timer, timer.due <= first { return }
        self.timer?.cancel()
        self.timer = self.loop.schedule(at: first) { [weak self] in self?.fire() }
    }

    private func fire() {
        self.timer = nil
        while let pending = self.heap.popDue(at: ContinuousClock.now) { self.onDue(pending) }
        self.arm()
    }
}
