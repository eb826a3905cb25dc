/// Decides how fast a transfer is, from where it was in the last few seconds.
package struct TransferPace: Sendable {
    private struct Mark: Sendable {
        var moved: Int64
        var at: ContinuousClock.Instant
    }

    private var marks: [Mark]
    /// Seconds looked back, where it is marked each second.
    private static let kept = 5

    package init(began: ContinuousClock.Instant) { self.marks = [Mark(moved: 0, at: began)] }

    package mutating func mark(_ moved: Int64, at now: ContinuousClock.Instant) {
        self.marks.append(Mark(moved: moved, at: now))
        if self.marks.count > Self.kept { self.marks.removeFirst() }
    }

    /// In bytes a second.
    package func rate(_ moved: Int64, at now: ContinuousClock.Instant) -> Double {
        guard let first = self.marks.first else { return 0 }
        let seconds = (now - first.at) / .seconds(1)
        return seconds > 0.001 ? Double(moved - first.moved) / seconds : 0
    }
}
