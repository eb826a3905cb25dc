/// Runs one seed after the other.
package struct Sweep: Sendable {
    package var settings: SimulationSettings
    /// From the settings' seed on.
    package var seeds: Int

    package struct Result {
        package var runs = 0
        package var events = 0
        /// Nanoseconds of simulated time.
        package var simulated: Int64 = 0
        package let coverage = Coverage()
        /// The first seed that broke a rule.
        package var broken: SimulationOutcome?
        /// A number for the whole sweep, the same for the same settings.
        package var digest: UInt64 = 0
    }

    package init(_ settings: SimulationSettings, seeds: Int) {
        self.settings = settings
        self.seeds = seeds
    }

    /// Until the first violation.
    ///
    /// - Parameter tell: takes the story of each run, line by line, where the settings ask for it.
    package func run(_ tell: (String) -> Void = { _ in }) -> Result {
        var result = Result()
        for offset in 0..<self.seeds {
            var settings = self.settings
            settings.seed = self.settings.seed &+ UInt64(offset)
            let outcome = Simulation.run(settings)
            result.runs += 1
            for line in outcome.story { tell(line) }
            result.events += outcome.events
            result.simulated += outcome.simulated
            result.coverage.add(outcome.counts)
            result.digest = SeededRandom.mixed(result.digest ^ outcome.digest)
            if outcome.violation != nil {
                result.broken = outcome
                break
            }
        }
        return result
    }

    /// How many seeds are enough for every situation to have come about.
    package static let seedsForCoverage = 2_000
}
