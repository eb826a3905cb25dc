/// How many seeds it takes until a broken twin is noticed by a rule that it breaks.
package struct TwinTrial: Sendable {
    package static let seedsMax = 1_000

    package let twin: Twin
    /// Seeds that were run.
    package let seeds: Int
    /// Nil when it escaped.
    package let caughtBy: Invariant?

    package init(_ twin: Twin, settings: SimulationSettings, seeds: Int = TwinTrial.seedsMax) {
        var settings = settings
        settings.twin = twin
        settings.tellsStory = false
        self.twin = twin
        let result = Sweep(settings, seeds: seeds).run()
        self.seeds = result.runs
        let invariant = result.broken?.violation?.invariant
        self.caughtBy = invariant.flatMap { twin.breaks.contains($0) ? $0 : nil }
    }
}
