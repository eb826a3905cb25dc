/// Makes the story of a violation short: leaves out faults, nodes and work as long as the same rule still breaks.
package struct Shrinker {
    /// Runs that it may take.
    package static let runsMax = 2_000

    package private(set) var runs = 0
    private var best: SimulationOutcome
    private let invariant: Invariant

    /// Nil when nothing is broken.
    package init?(_ outcome: SimulationOutcome) {
        guard let violation = outcome.violation else { return nil }
        self.best = outcome
        self.invariant = violation.invariant
    }

    /// The shortest run that was found, told in plain sentences.
    package mutating func shrink() -> SimulationOutcome {
        self.leaveOutWork()
        self.leaveOutNodes()
        self.leaveOutFaults()
        self.leaveOutNodes()
        self.leaveOutWork()
        self.leaveOutFaults()
        var settings = self.best.settings
        settings.tellsStory = true
        return Simulation.run(settings, plan: self.best.plan)
    }

    private mutating func attempt(_ settings: SimulationSettings, _ plan: FaultPlan) -> Bool {
        guard self.runs < Self.runsMax else { return false }
        self.runs += 1
        let outcome = Simulation.run(settings, plan: plan)
        guard let violation = outcome.violation, violation.invariant == self.invariant else { return false }
        self.best = outcome
        return true
    }

    private mutating func leaveOutWork() {
        for part in [\SimulationSettings.files, \.leases, \.jobs, \.shards]
        where self.best.settings[keyPath: part] {
            var settings = self.best.settings
            settings[keyPath: part] = false
            _ = self.attempt(settings, self.best.plan)
        }
    }

    /// Faults of hosts that are not there do nothing.
    private mutating func leaveOutNodes() {
        for count in [2, 3, 4, 5, 7, 10, 15] where count < self.best.settings.nodes {
            var settings = self.best.settings
            settings.nodes = count
            var plan = self.best.plan
            plan.faults.removeAll { $0.host >= count }
            if self.attempt(settings, plan) { return }
        }
    }

    /// Delta debugging: halves, then quarters, down to single faults; what comes after the violation goes first.
    private mutating func leaveOutFaults() {
        if let violation = self.best.violation, violation.at < self.best.plan.calmFrom {
            var plan = self.best.plan
            plan.faults.removeAll { $0.at > violation.at }
            _ = self.attempt(self.best.settings, plan)
        }
        var size = max(1, self.best.plan.faults.count / 2)
        while self.runs < Self.runsMax {
            var start = 0
            var found = false
            while start < self.best.plan.faults.count {
                var plan = self.best.plan
                plan.faults.removeSubrange(start..<min(start + size, plan.faults.count))
                if self.attempt(self.best.settings, plan) { found = true } else { start += size }
            }
            if size == 1 {
                guard found else { return }
            } else {
                size = max(1, size / 2)
            }
        }
    }
}
