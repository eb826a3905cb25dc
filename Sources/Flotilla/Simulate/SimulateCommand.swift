import ArgumentParser
import Glibc
import Simulator

/// The command `flotilla simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Runs a whole cluster with simulated time, database, network and mount, and breaks things.",
        discussion: """
            One seed gives one run, always. The rules of docs/COORDINATION.md are checked after every step; when one \
            breaks, the run is made as short as possible and told as a story.

            Kinds of faults: \(FaultKind.allCases.map(\.rawValue).joined(separator: ", ")).
            Twins: \(Twin.allCases.map(\.rawValue).joined(separator: ", ")).

            Exit codes: 0 when every rule held (with --twin or --twins: when every twin was caught); 1 when a rule \
            broke or a twin was not caught; 2 when a sweep never met a situation that it should have met; 64 for \
            arguments that make no sense.
            """)

    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "How many seeds, one run each.") var seeds = 1
    @Option(help: "How many nodes, 1 to 50; 20 for one seed, 5 for several.") var nodes: Int?
    @Option(help: "Minutes of simulated time, 2 to 1,440; 60 for one seed, 2 for several.") var minutes: Int?
    @Option(help: "The kinds of faults to choose from, with commas between, or none; all kinds unless given.")
    var faults: String?
    @Option(help: "Take this guard out; the run must then break a rule.") var twin: String?
    @Flag(help: "Take each guard out in turn, and show how many seeds it takes to notice.") var twins = false
    @Flag(help: "Tell what happens, also when nothing breaks.") var story = false
    @Flag(help: "Show how often the interesting situations came about.") var counters = false

    private var settings: SimulationSettings {
        get throws {
            var settings = SimulationSettings(seed: self.seed)
            let isSweep = self.seeds > 1 || self.twins || self.twin != nil
            settings.nodes = self.nodes ?? (isSweep ? 5 : 20)
            settings.minutes = self.minutes ?? (isSweep ? 2 : 60)
            settings.faults = try self.faults.map(Self.kinds)
            settings.twin = try self.twin.map(Self.twin)
            settings.tellsStory = self.story
            return settings
        }
    }

    private static func kinds(_ text: String) throws -> Set<FaultKind> {
        guard text != "none" else { return [] }
        return try Set(
            text.split(separator: ",", omittingEmptySubsequences: false).map { word in
                guard let kind = FaultKind(rawValue: String(word)) else {
                    throw ValidationError(
                        "“\(word)” is no kind of fault. There are: "
                            + FaultKind.allCases.map(\.rawValue).joined(separator: ", ") + ".")
                }
                return kind
            })
    }

    private static func twin(_ text: String) throws -> Twin {
        guard let twin = Twin(rawValue: text) else {
            throw ValidationError(
                "“\(text)” is no twin. There are: " + Twin.allCases.map(\.rawValue).joined(separator: ", ")
                    + ".")
        }
        return twin
    }

    func validate() throws {
        let settings = try self.settings
        guard SimulationSettings.nodesRange.contains(settings.nodes) else {
            throw ValidationError("--nodes \(settings.nodes): from 1 to 50 nodes can be simulated.")
        }
        guard SimulationSettings.minutesRange.contains(settings.minutes) else {
            throw ValidationError("--minutes \(settings.minutes): from 2 to 1,440 minutes can be simulated.")
        }
        guard (1...1_000_000).contains(self.seeds) else {
            throw ValidationError("--seeds \(self.seeds): from 1 to 1,000,000 seeds can be run.")
        }
        guard !self.twins || self.twin == nil else {
            throw ValidationError("--twins shows every twin; leave out --twin.")
        }
        guard !self.story || self.seeds == 1 else {
            throw ValidationError("--story tells one run; leave out --seeds.")
        }
    }

    func run() throws {
        let settings = try self.settings
        if self.twins { return try self.showTwins(settings) }
        let meter = CPUMeter()
        let result = Sweep(settings, seeds: self.seeds).run { line in print(line) }
        print(SimulationReport.summary(result, settings))
        if self.counters || self.seeds == 1 { print(SimulationReport.counters(result)) }
        print(SimulationReport.speed(result, seconds: meter.seconds))
        if let broken = result.broken { try self.show(broken) }
        if settings.twin != nil { try self.judgeTwin(result) }
        let isBroad = self.faults == nil && self.seeds >= Sweep.seedsForCoverage
        guard !isBroad || result.coverage.missing.isEmpty else {
            print("Never met: \(result.coverage.missing.map(\.words).joined(separator: ", ")).")
            throw ExitCode(2)
        }
    }

    /// Makes the run short and tells it.
    private func show(_ broken: SimulationOutcome) throws {
        guard var shrinker = Shrinker(broken) else { return }
        let shortest = shrinker.shrink()
        print(SimulationReport.violation(broken, shortest: shortest, runs: shrinker.runs))
        if broken.settings.twin == nil { throw ExitCode(1) }
    }

    private func judgeTwin(_ result: Sweep.Result) throws {
        guard let twin = result.broken?.settings.twin, let violation = result.broken?.violation,
            twin.breaks.contains(violation.invariant)
        else {
            print("The twin was not caught.")
            throw ExitCode(1)
        }
    }

    private func showTwins(_ settings: SimulationSettings) throws {
        let seeds = self.seeds > 1 ? self.seeds : TwinTrial.seedsMax
        var table = TextTable("RULE", "TWIN", "SEEDS", "CAUGHT BY", "WHAT WAS LEFT OUT")
        var escaped = 0
        var seedsNeeded = 1
        for twin in Twin.allCases {
            let trial = TwinTrial(twin, settings: settings, seeds: seeds)
            if trial.caughtBy == nil { escaped += 1 }
            seedsNeeded = max(seedsNeeded, trial.seeds)
            table.add(
                twin.breaks.first?.rawValue ?? "", twin.rawValue, "\(trial.seeds)",
                trial.caughtBy?.rawValue ?? "NOTHING", twin.summary)
        }
        print(table.text)
        let clean = Sweep(settings, seeds: seedsNeeded).run()
        print(
            "Without a twin the same \(clean.runs) seeds are "
                + (clean.broken == nil ? "clean." : "NOT clean: seed \(clean.broken?.settings.seed ?? 0)."))
        guard escaped == 0, clean.broken == nil else { throw ExitCode(1) }
    }
}

/// Time that this process spent computing: others on the machine do not count.
private struct CPUMeter {
    private let started = CPUMeter.now()

    var seconds: Double { CPUMeter.now() - self.started }

    /// `clock` counts millionths of a second, whatever the machine.
    private static func now() -> Double { Double(clock()) / 1e6 }
}
