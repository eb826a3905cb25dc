/// Everything that is done to a run from outside, decided before it starts, so that parts can be left out.
package struct FaultPlan: Sendable, Equatable {
    package var faults: [Fault] = []
    package var calmFrom: Int64
    package var endsAt: Int64
    /// When each node is started.
    var starts: [Int64] = []
    var clocks: [NodeClock] = []
    /// In how many of a thousand steps of statements somebody else may come between.
    var splitPermille: Int
    /// In how many of a thousand heartbeats request, statement and answer are events of their own.
    var detailPermille: Int
    /// A sync of a folder takes up to so long.
    var syncMax: Int64
    /// The mean pause between two batches of work of a node; 0 for none.
    var workPause: Int64

    var jobs: JobPlan

    static let calm: Int64 = 75 * Span.second

    package init(_ settings: SimulationSettings) {
        var lots = SeededRandom(seed: settings.seed).stream(100)
        self.endsAt = Int64(settings.minutes) * Span.minute
        self.calmFrom = self.endsAt - Self.calm
        // Long runs go wide, short ones deep.
        let isLong = settings.minutes >= 20
        self.detailPermille = isLong ? 30 : [1_000, 200, 30][lots.below(3)]
        self.splitPermille = (isLong ? [0, 20, 100] : [0, 100, 400])[lots.below(3)]
        self.workPause = (isLong ? [5, 10, 20] : [2, 4, 10])[lots.below(3)] * Span.second
        self.syncMax = [8, 8, 400][lots.below(3)] * Span.millisecond
        var jobLots = SeededRandom(seed: settings.seed).stream(101)
        self.jobs = JobPlan(settings, &jobLots)
        let allowed = FaultKind.allCases.filter { settings.faults?.contains($0) ?? true }
        // Few kinds at a time go deep; all at once would go wide.
        var kinds = allowed.filter { _ in lots.chance(250) }
        if kinds.isEmpty, let one = lots.pick(allowed) { kinds = [one] }
        let isSkewed = kinds.contains(.skew)
        kinds.removeAll { $0 == .skew }
        for _ in 0..<settings.nodes {
            self.starts.append(lots.between(0, 3 * Span.second))
            self.clocks.append(
                NodeClock(
                    offset: lots.between(0, 1_000 * Span.second),
                    rate: isSkewed ? lots.between(900, 1_100) : 1_000))
        }
        guard !kinds.isEmpty else { return }
        let mean = [Span.second, 4 * Span.second, 15 * Span.second, 60 * Span.second][lots.below(4)]
        var at = 2 * Span.second
        while self.faults.count < 20_000 {
            at += lots.between(mean / 10, mean * 2)
            guard at < self.calmFrom, let kind = lots.pick(kinds) else { break }
            self.faults.append(Self.fault(kind, at: at, settings, &lots))
        }
    }

    private static func fault(
        _ kind: FaultKind, at: Int64, _ settings: SimulationSettings, _ lots: inout SeededRandom
    ) -> Fault {
        var fault = Fault(kind: kind, at: at, host: lots.below(settings.nodes))
        switch kind {
        case .kill, .power, .renamePower, .leave, .down: fault.length = lots.between(0, 5 * Span.second)
        case .storm:
            fault.length = lots.between(0, 5 * Span.second)
            fault.amount = lots.between(1, Int64(settings.nodes))
        case .pause, .stepPause, .commitPause:
            fault.length = Self.pause(&lots)
            fault.amount = lots.between(0, 40)
        case .cut, .cutRequests, .cutAnswers: fault.length = Self.outage(&lots)
        case .slow:
            fault.length = lots.between(Span.second, 20 * Span.second)
            fault.amount = lots.between(1, 400)
        case .restart, .crash:
            let longest = lots.chance(500) ? 500 * Span.millisecond : 3 * Span.second
            fault.length = lots.between(50 * Span.millisecond, longest)
        case .outage:
            fault.length = lots.between(5 * Span.second, 40 * Span.second) * (lots.chance(100) ? 7 : 1)
        case .clock: fault.amount = lots.between(-60_000, 60_000)
        case .hang: fault.length = lots.between(10 * Span.millisecond, 3 * Span.second)
        case .mountHang, .mountError, .renameLies: fault.length = lots.between(Span.second, 10 * Span.second)
        case .stall:
            fault.length = lots.between(200 * Span.millisecond, 4 * Span.second)
            fault.amount = lots.between(0, 3)
        case .failover:
            fault.length = lots.between(300 * Span.millisecond, 8 * Span.second)
            fault.amount = lots.chance(200) ? 0 : lots.between(1, 3_000)
        case .upgrade:
            fault.length = lots.between(0, 3 * Span.second)
            fault.amount = lots.between(0, 2)
        case .rival, .backend, .skew, .force: break
        }
        return fault
    }

    /// From a millisecond to two minutes, each order of magnitude as often as the next.
    private static func pause(_ lots: inout SeededRandom) -> Int64 {
        switch lots.below(7) {
        case 0: lots.between(Span.millisecond, 10 * Span.millisecond)
        case 1: lots.between(10 * Span.millisecond, 100 * Span.millisecond)
        case 2: lots.between(100 * Span.millisecond, Span.second)
        case 3: lots.between(Span.second, 4 * Span.second)
        case 4: lots.between(4 * Span.second, 10 * Span.second)
        default: lots.between(10 * Span.second, 120 * Span.second)
        }
    }

    private static func outage(_ lots: inout SeededRandom) -> Int64 {
        lots.chance(500)
            ? lots.between(50 * Span.millisecond, 2 * Span.second)
            : lots.between(2 * Span.second, 20 * Span.second)
    }
}
