package import ClusterModel

/// Decides whose turn it is: a surplus round robin in bytes, over the lanes that one node sees.
///
/// A job costs its lane a round for each quantum of its bytes, at least one, divided by the lane's weight. A lane that
/// took more than a round owes the rest, and is passed over until so many rounds have gone by; when all are in debt,
/// rounds go by at once. So lanes of equal weight get equal bytes, whatever their files' sizes.
///
/// **D1.** While this node takes jobs, a lane that has some it may take is not passed over for longer than
/// ``Settings/patience`` plus one claim for every ``slots`` lanes that have waited longer; debts do not count then. A debt
/// is at most ``Settings/debtMax`` rounds.
package struct Fairness: Sendable, Equatable {
    package struct Settings: Sendable, Equatable {
        /// Bytes of one round; smaller jobs cost as much.
        package var quantum: Int64 = 65_536
        /// In rounds; 4 GiB with this quantum.
        package var debtMax: Double = 65_536
        package var patience: Duration = .seconds(30)
        /// Lanes that are remembered; who owes nothing goes first.
        package var remembered = 4_096

        package init() {}
    }

    /// A lane that this node may take from now.
    package struct Candidate: Sendable, Hashable {
        package var lane: JobLane
        package var weight: Double
        /// At most so many jobs now.
        package var demand: Int
        /// Decides between lanes whose turn it is equally; lower goes first.
        package var affinity: Int

        package init(lane: JobLane, weight: Double = 1, demand: Int, affinity: Int = 0) {
            self.lane = lane
            self.weight = weight
            self.demand = demand
            self.affinity = affinity
        }
    }

    /// So many jobs of a lane.
    package struct Turn: Sendable, Hashable {
        package var lane: JobLane
        package var jobs: Int

        package init(lane: JobLane, jobs: Int) {
            self.lane = lane
            self.jobs = jobs
        }
    }

    struct Standing: Sendable, Equatable {
        /// The round in which its debt will be paid.
        var paidIn: Double
        var weight: Double
        /// Counts turns; who had none for the longest time goes first among equals.
        var lastTurn: UInt64
        /// Smoothed rounds of one job, before weights.
        var cost: Double = 1
        /// Since when it has been passed over; nil while it has nothing to take.
        var passedOverSince: ClusterInstant?
    }

    let settings: Settings
    private(set) var lanes: [JobLane: Standing] = [:]
    /// Rounds that have gone by.
    private var round: Double = 0
    private var turns: UInt64 = 0

    package init(_ settings: Settings = Settings()) { self.settings = settings }

    /// How many rounds a lane has to wait before it owes nothing.
    package func debt(of lane: JobLane) -> Double {
        self.lanes[lane].map { max(0, $0.paidIn - self.round) } ?? 0
    }

    /// Deals the slots to the lanes, in the order of their turns; each lane is named once.
    ///
    /// What is dealt counts as taken; ``taken(_:asked:bytes:)`` corrects it.
    package mutating func deal(_ candidates: [Candidate], slots: Int, at now: ClusterInstant) -> [Turn] {
        self.meet(candidates, at: now)
        var order: [JobLane] = []
        var dealt: [JobLane: Int] = [:]
        var left = slots
        func deal(_ lane: JobLane) {
            if dealt[lane] == nil { order.append(lane) }
            dealt[lane, default: 0] += 1
            left -= 1
        }
        for candidate in self.overdue(candidates, at: now) where left > 0 {
            self.turn(candidate.lane, at: now)
            deal(candidate.lane)
        }
        var heap = LaneHeap(candidates.compactMap { self.place($0, dealt: dealt[$0.lane] ?? 0) })
        while left > 0, let candidate = heap.popFirst() {
            self.turn(candidate.lane, at: now)
            deal(candidate.lane)
            if let again = self.place(candidate, dealt: dealt[candidate.lane] ?? 0) { heap.insert(again) }
        }
        return order.map { Turn(lane: $0, jobs: dealt[$0] ?? 0) }
    }

    /// What came of a turn: the bytes of each job that was got, of so many that were asked for.
    package mutating func taken(_ lane: JobLane, asked: Int, bytes: [Int64]) {
        guard var standing = self.lanes[lane] else { return }
        let costs = bytes.map { max(1, Double($0) / Double(self.settings.quantum)) }
        let owed = costs.reduce(0, +) - standing.cost * Double(asked)
        standing.paidIn = min(
            max(standing.paidIn + owed / standing.weight, self.round), self.round + self.settings.debtMax)
        for cost in costs { standing.cost += (cost - standing.cost) / 8 }
        self.lanes[lane] = standing
    }

    // MARK: Turns

    /// New lanes owe nothing; who has nothing to take waits for nothing.
    private mutating func meet(_ candidates: [Candidate], at now: ClusterInstant) {
        let named = Set(candidates.map(\.lane))
        for lane in self.lanes.keys where !named.contains(lane) { self.lanes[lane]?.passedOverSince = nil }
        for candidate in candidates {
            var standing =
                self.lanes[candidate.lane] ?? Standing(paidIn: self.round, weight: 1, lastTurn: 0)
            standing.paidIn = max(standing.paidIn, self.round)
            standing.weight = candidate.weight > 0 ? candidate.weight : 1
            standing.passedOverSince = standing.passedOverSince ?? now
            self.lanes[candidate.lane] = standing
        }
        self.forget(keeping: named)
    }

    private func overdue(_ candidates: [Candidate], at now: ClusterInstant) -> [Candidate] {
        candidates.compactMap { candidate -> (Candidate, ClusterInstant)? in
            guard candidate.demand > 0, let since = self.lanes[candidate.lane]?.passedOverSince,
                now.since(since) >= self.settings.patience
            else { return nil }
            return (candidate, since)
        }.sorted { ($0.1, $0.0.lane) < ($1.1, $1.0.lane) }.map(\.0)
    }

    private func place(_ candidate: Candidate, dealt: Int) -> LaneHeap.Place? {
        guard dealt < candidate.demand, let standing = self.lanes[candidate.lane] else { return nil }
        return LaneHeap.Place(
            paidIn: standing.paidIn, lastTurn: standing.lastTurn, candidate: candidate)
    }

    /// One job; rounds go by until its lane owes nothing.
    private mutating func turn(_ lane: JobLane, at now: ClusterInstant) {
        guard var standing = self.lanes[lane] else { return }
        let isOverdue = standing.passedOverSince.map { now.since($0) >= self.settings.patience } ?? false
        if !isOverdue { self.round = max(self.round, standing.paidIn) }
        self.turns += 1
        standing.lastTurn = self.turns
        standing.passedOverSince = now
        standing.paidIn = min(
            standing.paidIn + standing.cost / standing.weight, self.round + self.settings.debtMax)
        self.lanes[lane] = standing
    }

    private mutating func forget(keeping named: Set<JobLane>) {
        guard self.lanes.count > self.settings.remembered else { return }
        let others = self.lanes.filter { !named.contains($0.key) }.sorted {
            ($0.value.paidIn, $0.key) < ($1.value.paidIn, $1.key)
        }
        for (lane, _) in others.prefix(self.lanes.count - self.settings.remembered) {
            self.lanes[lane] = nil
        }
    }
}
