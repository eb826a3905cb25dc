import ArgumentParser
import Foundation

/// Puts both drivers through everything that could leave something behind, and looks for what was left.
///
/// Two ways to look: by itself, it compares descriptors and the heap after some iterations with those after
/// four times as many; under LeakSanitizer, which deploy/scripts/leak-check.sh preloads, the sanitizer looks
/// at the end. `--leak` leaks on purpose, so that the script can see that both would notice.
@main
struct LeakCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flotilla-leak-check", abstract: "Looks for what the drivers leave behind.")

    enum Leak: String, ExpressibleByArgument {
        case memory
        case descriptor
    }

    @Option(help: "Libpq's connection string of a role that may create tables and end its own backends.")
    var postgres: String

    @Option(help: "redis://host:port of a Redis of this run's own: it is paused, its clients are cut off.")
    var redis: String

    @Option(help: "Iterations before the first look; three times as many follow.")
    var iterations = 10

    @Option(help: "Iterations before those, in which caches and buffers reach their size.")
    var warmUp = 12

    @Option(help: "Bytes by which the heap may grow between the two looks.")
    var heapGrowthMax = 160 << 10

    @Option(help: "Leaks on purpose in each iteration: memory or descriptor.")
    var leak: Leak?

    @Option(help: "Only the exercises whose names begin so; then nothing is said about outcomes.")
    var only = ""

    @Flag(help: "Does not judge the heap: its numbers mean nothing while a sanitizer replaces malloc.")
    var heapUnjudged = false

    func run() async throws {
        // The runtime opens what its own timers need with the first wait.
        let atStart = try await Footprint.settled()
        let tally = Tally()
        let (first, second) = try await Surroundings.with(
            postgres: self.postgres, redis: self.redis, tally: tally
        ) {
            surroundings in
            try await self.iterate(self.warmUp + self.iterations, surroundings)
            let first = try await Footprint.settled()
            try await self.iterate(3 * self.iterations, surroundings)
            return (first, try await Footprint.settled())
        }
        print("outcomes: \(tally)")
        print("after \(self.warmUp) + \(self.iterations) iterations: \(first)")
        print("after \(self.warmUp) + \(4 * self.iterations) iterations: \(second)")
        try self.judge(first, second)
        if self.only.isEmpty { try tally.requireAll(Exercise.outcomes) }
        try await eventually("all descriptors are closed: \(atStart.descriptors) at the start") {
            Footprint.now.descriptors <= atStart.descriptors
        }
        print("nothing was left: \(Footprint.now.descriptors) descriptors, as at the start")
    }

    private func iterate(_ count: Int, _ surroundings: Surroundings) async throws {
        for _ in 0..<count {
            for exercise in Exercise.all where exercise.name.hasPrefix(self.only) {
                do {
                    try await exercise.run(surroundings)
                } catch {
                    throw LeakCheckFailure("the exercise '\(exercise.name)' went wrong: \(error)")
                }
            }
            switch self.leak {
            case .memory: Deliberate.leakMemory()
            case .descriptor: Deliberate.leakDescriptor()
            case nil: break
            }
        }
    }

    private func judge(_ first: Footprint, _ second: Footprint) throws {
        guard second.descriptors <= first.descriptors else {
            throw LeakCheckFailure("descriptors grew from \(first.descriptors) to \(second.descriptors)")
        }
        guard !self.heapUnjudged else { return }
        let growth = second.heapBytes - first.heapBytes
        guard growth <= self.heapGrowthMax else {
            throw LeakCheckFailure("the heap grew by \(growth) bytes; \(self.heapGrowthMax) are allowed")
        }
    }
}

/// Why the check did not pass.
struct LeakCheckFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Polls until it is so, for twenty seconds.
func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
    let due = ContinuousClock.now.advanced(by: .seconds(20))
    while try await !isTrue() {
        guard ContinuousClock.now < due else { throw LeakCheckFailure("never happened: \(what)") }
        try await Task.sleep(for: .milliseconds(1))
    }
}
