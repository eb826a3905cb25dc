import ClusterModel

/// Runs a scenario and says which expectations did not come true.
package enum ScenarioRun {
    package struct Outcome: Sendable {
        /// Sentences; empty when everything came as it was expected.
        package var failures: [String]
        package var story: [String]
    }

    package static func run(_ scenario: Scenario, seed: UInt64 = 1) -> Outcome {
        var settings = SimulationSettings(seed: seed)
        settings.nodes = scenario.nodes
        settings.tellsStory = true
        let world = World(settings, plan: FaultPlan(scenario))
        let watch = ExpectationWatch(world)
        for expectation in scenario.expectations { watch.add(expectation) }
        world.run(judgesEnd: false)
        var failures = watch.failures.sorted()
        if let violation = world.judge.violation {
            failures.append("\(violation.invariant.rawValue) is broken: \(violation.reason)")
        }
        return Outcome(
            failures: failures, story: StoryText.lines(world.stage.story, hosts: world.hosts.map(\.label)))
    }
}

/// Looks whether what was expected has come true.
private final class ExpectationWatch {
    private unowned let world: World
    private(set) var failures: [String] = []
    private static let period = 10 * Span.millisecond

    init(_ world: World) { self.world = world }

    func add(_ expectation: Scenario.Expectation) {
        // Before the fault itself, which was asked for earlier but comes at the same moment.
        self.world.stage.at(max(0, expectation.from - 1)) { [unowned self] in
            let before = self.incarnation(of: expectation.wish)
            let deaths = self.world.judge.membership.deaths.count
            self.look(expectation, before: before, deaths: deaths)
        }
    }

    private func look(_ expectation: Scenario.Expectation, before: Int64?, deaths: Int) {
        let due = expectation.from + expectation.within
        let isOver = self.world.stage.now + Self.period > due
        let holds = self.holds(expectation.wish, before: before, deaths: deaths)
        if case .nobodyDead = expectation.wish {
            guard isOver else { return self.again(expectation, before, deaths) }
            if !holds { self.fail(expectation) }
            return
        }
        guard !holds else { return }
        guard isOver else { return self.again(expectation, before, deaths) }
        self.fail(expectation)
    }

    private func again(_ expectation: Scenario.Expectation, _ before: Int64?, _ deaths: Int) {
        self.world.stage.after(Self.period) { [unowned self] in
            self.look(expectation, before: before, deaths: deaths)
        }
    }

    private func fail(_ expectation: Scenario.Expectation) {
        let what =
            switch expectation.wish {
            case .dead(let node): "\(node) was not dead"
            case .living(let node): "\(node) was not living"
            case .leader: "nobody alive led"
            case .nobodyDead: "somebody died"
            }
        self.failures.append(
            "line \(expectation.line): \(what) within \(expectation.within / Span.millisecond) ms")
    }

    private func host(_ name: String) -> Host? {
        self.world.hosts.first { !$0.isRival && $0.name?.description == name }
    }

    private func incarnation(of wish: Scenario.Wish) -> Int64? {
        switch wish {
        case .dead(let name), .living(let name): self.host(name)?.process?.right?.incarnation.rawValue
        case .leader, .nobodyDead: nil
        }
    }

    private func holds(_ wish: Scenario.Wish, before: Int64?, deaths: Int) -> Bool {
        let tables = self.world.server.database.tables
        switch wish {
        case .dead: return before.map { self.world.judge.isDead($0) } ?? false
        case .living(let name):
            guard self.world.stage.now > 0, let process = self.host(name)?.process, process.phase == .living
            else {
                return false
            }
            return process.right.map { tables.isLive($0.slot.rawValue, $0.incarnation.rawValue) } ?? false
        case .leader:
            return tables.cluster.leaderIncarnation.map { tables.livingSlot(of: $0) != nil } ?? false
        case .nobodyDead: return self.world.judge.membership.deaths.count == deaths
        }
    }
}

extension FaultPlan {
    /// What a script says, with nothing left to chance but the network's delays.
    init(_ scenario: Scenario) {
        self.faults = scenario.faults
        self.endsAt = scenario.endsAt + Span.second
        self.calmFrom = self.endsAt + Self.calm
        self.starts = (0..<scenario.nodes).map { Int64($0) * 20 * Span.millisecond }
        self.clocks = (0..<scenario.nodes).map { NodeClock(offset: Int64($0) * Span.minute, rate: 1_000) }
        self.splitPermille = 100
        self.detailPermille = 1_000
        self.syncMax = 8 * Span.millisecond
        self.workPause = 4 * Span.second
        self.jobs = JobPlan(pause: 2 * Span.second)
    }
}
