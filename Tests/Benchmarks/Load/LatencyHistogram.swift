/// Counts of durations in steps of about six per cent, from 1 ns to hours, in constant memory.
struct LatencyHistogram {
    private static let stepsPerDoubling = 16
    private var counts = [UInt32](repeating: 0, count: 64 * stepsPerDoubling)
    private var total: UInt64 = 0

    mutating func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = UInt64(max(1, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
        self.counts[Self.step(of: nanoseconds)] += 1
        self.total += 1
    }

    mutating func add(_ other: LatencyHistogram) {
        for (step, count) in other.counts.enumerated() { self.counts[step] += count }
        self.total += other.total
    }

    /// The duration that the fraction of all does not exceed, in milliseconds; nil when nothing was recorded.
    func milliseconds(at fraction: Double) -> Double? {
        guard self.total > 0 else { return nil }
        let wanted = UInt64((Double(self.total) * fraction).rounded(.up))
        var seen: UInt64 = 0
        for (step, count) in self.counts.enumerated() {
            seen += UInt64(count)
            if seen >= wanted { return Self.middle(of: step) / 1_000_000 }
        }
        return nil
    }

    private static func step(of nanoseconds: UInt64) -> Int {
        let doubling = 63 - nanoseconds.leadingZeroBitCount
        let fraction = doubling >= 4 ? nanoseconds >> (doubling - 4) : nanoseconds << (4 - doubling)
        return doubling * Self.stepsPerDoubling + Int(fraction & 15)
    }

    private static func middle(of step: Int) -> Double {
        let doubling = Double(UInt64(1) << UInt64(step / Self.stepsPerDoubling))
        return doubling * (1 + (Double(step % Self.stepsPerDoubling) + 0.5) / Double(Self.stepsPerDoubling))
    }
}
