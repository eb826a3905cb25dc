import ClusterModel
import ClusterPorts

/// Which lanes each node has passed over while it took from others, and since when (D1); how much it does at a time (D2).
struct FairnessBook {
    struct Lane: Hashable {
        var incarnation: Int64
        var lane: JobLane
    }
    struct Passed {
        var since: Int64
        /// Claims since the bound.
        var late = 0
    }
    var passed: [Lane: Passed] = [:]
    /// When each node last got something.
    var tookAt: [Int64: Int64] = [:]
    /// Of the claim statement that is being judged.
    private var got: Set<JobLane> = []

    mutating func took(_ lane: JobLane) { self.got.insert(lane) }

    mutating func takeGot() -> Set<JobLane> {
        defer { self.got = [] }
        return self.got
    }
}

extension Judge {
    /// What a lane may be passed over: the patience of the nodes, by a clock that runs a tenth too slow, and a look.
    static let fairnessBound = SimulationSettings.patience * 12 / 10 + 3 * Span.second
    /// Claims of one job each that may go to lanes that have waited longer.
    private static let lateClaimsMax = 16

    /// A claim statement took jobs: lanes in which others stand ready were passed over by this node.
    ///
    /// Lanes under a limit, and those for some places only, are left out: there others decide.
    func claimEnded(by incarnation: Int64, _ tables: JobTables) {
        let got = self.fairness.takeGot()
        guard !got.isEmpty else { return }
        for lane in got {
            self.fairness.passed[FairnessBook.Lane(incarnation: incarnation, lane: lane)] = nil
        }
        let last = self.fairness.tookAt.updateValue(self.now, forKey: incarnation) ?? self.now
        guard !tables.ready.isEmpty else { return }
        // Who could take nothing for a while passed nobody over.
        if self.now - last > 2 * Span.second {
            self.fairness.passed = self.fairness.passed.filter { $0.key.incarnation != incarnation }
        }
        for lane in tables.ready.keys.sorted() where !got.contains(lane) {
            self.passedOver(lane, by: incarnation, tables)
        }
    }

    private func passedOver(_ lane: JobLane, by incarnation: Int64, _ tables: JobTables) {
        let key = FairnessBook.Lane(incarnation: incarnation, lane: lane)
        let open = (tables.ready[lane] ?? []).compactMap { self.jobs.open[$0.job] }
        guard let first = open.first, let readySince = open.map(\.readySince).min(),
            first.content.spec.requires.isEmpty,
            !first.content.scopes.contains(where: { tables.policies[$0] != nil })
        else {
            self.fairness.passed[key] = nil
            return
        }
        var passed = self.fairness.passed[key] ?? FairnessBook.Passed(since: self.now)
        if readySince > passed.since { passed = FairnessBook.Passed(since: readySince) }
        let length = self.now - passed.since
        if length > SimulationSettings.patience / 2 { self.stage.coverage.count(.lanePassedOverLong) }
        if length > Self.fairnessBound { passed.late += 1 }
        self.fairness.passed[key] = passed
        guard passed.late > Self.lateClaimsMax else { return }
        self.broken(
            .d1,
            "\(incarnation) took from others for \((self.now - passed.since) / Span.millisecond) ms, while "
                + "job \(first.content.id) stood first in a lane that it may serve"
        )
    }

    /// Handlers that have not returned.
    func works(_ running: Int, on host: Int, of capacity: Int) {
        if running == capacity { self.stage.coverage.count(.nodeFull) }
        guard running > capacity else { return }
        self.broken(.d2, "a node works on \(running) jobs and has room for \(capacity)")
    }

    /// Somebody rang: that may make a node look, and nothing else.
    ///
    /// - Parameter changed: what the node holds, or has to say of it, was changed by the ring.
    func heardRing(changed: Bool, by incarnation: Int64) {
        self.stage.coverage.count(.rang)
        guard changed else { return }
        self.broken(.d4, "\(incarnation) let go of a job because of what Redis said")
    }

    /// A job has been ready for so long that heartbeats must have told somebody of it.
    func notServed(_ job: Int64, for length: Int64, isRedisSilent: Bool) {
        self.broken(
            isRedisSilent ? .d4 : .d1,
            "job \(job) has been ready for \(length / Span.millisecond) ms while nodes with free slots serve"
                + (isRedisSilent ? ", and nobody rang" : ""))
    }
}
