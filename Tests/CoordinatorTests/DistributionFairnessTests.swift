import ClusterModel
import Coordinator
import Testing

@Suite struct DistributionFairnessTests {
    private static func candidate(_ lane: Int64, demand: Int = 1_000, weight: Double = 1)
        -> Fairness.Candidate
    {
        Fairness.Candidate(lane: JobLane(lane), weight: weight, demand: demand)
    }

    /// Deals, and takes all that was dealt.
    private static func take(
        _ fairness: inout Fairness, _ candidates: [Fairness.Candidate], slots: Int,
        at now: ClusterInstant = .zero, bytes: (JobLane) -> Int64 = { _ in 0 }
    ) -> [JobLane: Int] {
        var taken: [JobLane: Int] = [:]
        for turn in fairness.deal(candidates, slots: slots, at: now) {
            fairness.taken(
                turn.lane, asked: turn.jobs, bytes: (0..<turn.jobs).map { _ in bytes(turn.lane) })
            taken[turn.lane] = turn.jobs
        }
        return taken
    }

    @Test func `every lane has a turn before one has two`() {
        var fairness = Fairness()
        let candidates = (1...10).map { Self.candidate($0) }
        #expect(Self.take(&fairness, candidates, slots: 10).values.allSatisfy { $0 == 1 })
        let next = Self.take(&fairness, candidates, slots: 13)
        #expect(next.values.max() == 2)
        #expect(next.values.min() == 1)
        #expect(Self.take(&fairness, candidates, slots: 7).count == 7)
    }

    @Test func `a lane alone gets all that is free`() {
        var fairness = Fairness()
        #expect(Self.take(&fairness, [Self.candidate(1)], slots: 64) == [JobLane(1): 64])
        #expect(Self.take(&fairness, [Self.candidate(1, demand: 3)], slots: 64) == [JobLane(1): 3])
        #expect(Self.take(&fairness, [], slots: 64) == [:])
    }

    @Test func `a million jobs beside fifty lanes of ten each do not keep the small ones waiting`() {
        var fairness = Fairness()
        var left = Dictionary(uniqueKeysWithValues: (1...50).map { (JobLane($0), 10) })
        left[JobLane(0)] = 1_000_000
        // The hot one was alone for long.
        for _ in 0..<100 { _ = Self.take(&fairness, [Self.candidate(0)], slots: 64) }
        var deals = 0
        while left.contains(where: { $0.key != JobLane(0) && $0.value > 0 }) && deals < 1_000 {
            let candidates = left.filter { $0.value > 0 }.map {
                Self.candidate($0.key.rawValue, demand: $0.value)
            }
            for (lane, jobs) in Self.take(&fairness, candidates, slots: 64) { left[lane, default: 0] -= jobs }
            deals += 1
        }
        // 500 jobs and as many turns of the hot lane as one of the small ones had: 510 slots.
        #expect(deals <= 9)
        // Nothing stood idle meanwhile.
        #expect(left[JobLane(0)] == 1_000_000 - (deals * 64 - 500))
    }

    @Test func `lanes get equal bytes though sizes differ by a factor of a million`() {
        var fairness = Fairness()
        let large: Int64 = 1 << 30
        var bytes: [JobLane: Int64] = [:]
        for _ in 0..<200_000 {
            let taken = Self.take(&fairness, [Self.candidate(1), Self.candidate(2)], slots: 1) {
                $0 == JobLane(1) ? 1_024 : large
            }
            // What is small costs a quantum.
            for (lane, jobs) in taken {
                bytes[lane, default: 0] += Int64(jobs) * (lane == JobLane(1) ? 65_536 : large)
            }
        }
        let small = bytes[JobLane(1)] ?? 0
        let big = bytes[JobLane(2)] ?? 0
        #expect(big > 0)
        #expect(abs(small - big) <= 2 * large, "\(small) \(big)")
    }

    @Test func `weights are shares`() {
        var fairness = Fairness()
        var taken: [JobLane: Int] = [:]
        for _ in 0..<100 {
            let candidates = [Self.candidate(1, weight: 1), Self.candidate(2, weight: 4)]
            for (lane, jobs) in Self.take(&fairness, candidates, slots: 10) {
                taken[lane, default: 0] += jobs
            }
        }
        #expect(taken == [JobLane(1): 200, JobLane(2): 800])
    }

    @Test func `what was dealt and not got is not owed`() {
        var fairness = Fairness()
        let turns = fairness.deal([Self.candidate(1), Self.candidate(2)], slots: 20, at: .zero)
        #expect(turns.map(\.jobs) == [10, 10])
        fairness.taken(JobLane(1), asked: 10, bytes: [])
        fairness.taken(JobLane(2), asked: 10, bytes: Array(repeating: 0, count: 10))
        let debts = (fairness.debt(of: JobLane(1)), fairness.debt(of: JobLane(2)))
        #expect(debts.0 == 0)
        #expect(debts.1 > 0)
        #expect(Self.take(&fairness, [Self.candidate(1), Self.candidate(2)], slots: 1) == [JobLane(1): 1])
    }

    @Test func `a debt is bounded and nobody waits longer than the patience`() {
        var fairness = Fairness()
        let both = [Self.candidate(1), Self.candidate(2)]
        _ = Self.take(&fairness, [Self.candidate(2)], slots: 1) { _ in 1 << 50 }
        #expect(fairness.debt(of: JobLane(2)) <= 65_536)
        _ = Self.take(&fairness, both, slots: 1)
        var waited = 0
        for second in 1...100 {
            let taken = Self.take(&fairness, both, slots: 1, at: Cases.at(Int64(second) * 1_000))
            if taken[JobLane(2)] != nil { break }
            waited = second
        }
        #expect(waited == 29)
    }

    @Test func `of equals the one whose account is warm goes first and nobody waits for it`() {
        var fairness = Fairness()
        let cold = Fairness.Candidate(lane: JobLane(1), demand: 5, affinity: 3)
        let warm = Fairness.Candidate(lane: JobLane(2), demand: 5, affinity: 0)
        #expect(fairness.deal([cold, warm], slots: 1, at: .zero).map(\.lane) == [JobLane(2)])
        #expect(fairness.deal([cold, warm], slots: 1, at: .zero).map(\.lane) == [JobLane(1)])
        #expect(fairness.deal([cold, warm], slots: 4, at: .zero).map(\.jobs) == [2, 2])
    }

    @Test func `lanes are forgotten when there are too many and debts last`() {
        var settings = Fairness.Settings()
        settings.remembered = 10
        var fairness = Fairness(settings)
        _ = Self.take(&fairness, [Self.candidate(1)], slots: 1) { _ in 1 << 30 }
        for lane in Int64(2)...100 { _ = Self.take(&fairness, [Self.candidate(lane)], slots: 1) }
        #expect(fairness.debt(of: JobLane(1)) > 1_000)
    }

    /// D1: whoever has something to take, and is passed over, has waited no longer than the bound.
    @Test(arguments: 1...40)
    func `random lanes sizes and weights keep the bound`(_ seed: Int) {
        var lots = Lots(seed: UInt64(seed))
        var fairness = Fairness()
        let lanes = Int64.random(in: 2...60, using: &lots)
        let slots = Int.random(in: 1...64, using: &lots)
        let sizes = (0..<lanes).map { _ in Int64(1) << Int64.random(in: 0...40, using: &lots) }
        let weights = (0..<lanes).map { _ in Double.random(in: 0.01...100, using: &lots) }
        var backlog = (0..<lanes).map { _ in Int.random(in: 0...2_000, using: &lots) }
        var since = [ClusterInstant?](repeating: nil, count: Int(lanes))
        var now = ClusterInstant.zero
        let step: Duration = .milliseconds(Int64.random(in: 1...3_000, using: &lots))
        let bound = Fairness.Settings().patience + step * Int(lanes / Int64(slots) + 2)
        for _ in 0..<1_000 {
            now = now.advanced(by: step)
            if Int.random(in: 0..<10, using: &lots) == 0 {
                backlog[Int.random(in: 0..<Int(lanes), using: &lots)] += Int.random(in: 1...500, using: &lots)
            }
            let candidates = backlog.indices.filter { backlog[$0] > 0 }.map {
                Self.candidate(Int64($0), demand: backlog[$0], weight: weights[$0])
            }
            for index in backlog.indices { since[index] = backlog[index] > 0 ? since[index] ?? now : nil }
            let taken = Self.take(&fairness, candidates, slots: slots, at: now) { sizes[Int($0.rawValue)] }
            let all = candidates.reduce(0) { $0 + $1.demand }
            #expect(taken.values.reduce(0, +) == min(slots, all))
            for (lane, jobs) in taken {
                #expect(jobs <= backlog[Int(lane.rawValue)])
                backlog[Int(lane.rawValue)] -= jobs
                since[Int(lane.rawValue)] = now
            }
            for index in backlog.indices where backlog[index] > 0 {
                #expect(now.since(since[index] ?? now) <= bound, "lane \(index)")
            }
        }
    }
}
