/// What came of one run.
package struct SimulationOutcome: Sendable {
    package var settings: SimulationSettings
    package var plan: FaultPlan
    package var violation: Violation?
    /// The same for the same seed and settings, on every machine.
    package var digest: UInt64
    package var events: Int
    /// How long the run was, in nanoseconds of simulated time.
    package var simulated: Int64
    package var counts: [Int]
    /// In plain sentences; empty unless it was asked for.
    package var story: [String] = []

    package subscript(_ situation: Coverage.Situation) -> Int { self.counts[situation.rawValue] }
}

/// Runs one seed.
package enum Simulation {
    package static func run(_ settings: SimulationSettings, plan: FaultPlan? = nil) -> SimulationOutcome {
        let plan = plan ?? FaultPlan(settings)
        let world = World(settings, plan: plan)
        world.run()
        var outcome = SimulationOutcome(
            settings: settings, plan: plan, violation: world.judge.violation, digest: world.finalDigest,
            events: world.events, simulated: world.stage.now, counts: world.stage.coverage.counts)
        if settings.tellsStory {
            outcome.story = StoryText.lines(world.stage.story, hosts: world.hosts.map(\.label))
        }
        return outcome
    }
}

extension World {
    /// The events in their order, and what is left in the rows.
    var finalDigest: UInt64 {
        var digest = self.digest
        func mix(_ value: Int64) { digest = SeededRandom.mixed(digest ^ UInt64(bitPattern: value)) }
        let tables = self.server.database.tables
        mix(tables.cluster.viewVersion)
        mix(tables.cluster.lastIncarnation)
        mix(tables.cluster.lastEpoch)
        mix(tables.cluster.leaderTerm)
        for row in tables.members {
            mix(row.incarnation)
            mix(row.heartbeats)
            mix(row.beatAt)
        }
        for count in self.stage.coverage.counts { mix(Int64(count)) }
        return digest
    }
}
