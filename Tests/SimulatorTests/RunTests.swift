import Simulator
import Testing

/// A short run of few nodes.
private func settings(_ seed: UInt64) -> SimulationSettings {
    var settings = SimulationSettings(seed: seed)
    settings.nodes = 5
    settings.minutes = 2
    return settings
}

@Suite struct RunTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func `one seed gives one run`(seed: UInt64) {
        let first = Simulation.run(settings(seed))
        let second = Simulation.run(settings(seed))
        #expect(first.digest == second.digest)
        #expect(first.events == second.events)
        #expect(first.digest != Simulation.run(settings(seed + 1_000)).digest)
    }

    @Test func `telling the story changes nothing`() {
        var told = settings(4)
        told.tellsStory = true
        let outcome = Simulation.run(told)
        #expect(outcome.digest == Simulation.run(settings(4)).digest)
        #expect(outcome.story.contains { $0.contains("joins in slot 1") })
    }

    @Test func `two hundred seeds break no rule`() throws {
        let result = Sweep(settings(1), seeds: 200).run()
        #expect(result.broken == nil, "\(String(describing: result.broken?.violation))")
        #expect(result.runs == 200)
    }

    @Test func `twenty nodes without faults stay together`() {
        var calm = SimulationSettings(seed: 5)
        calm.minutes = 5
        calm.faults = []
        let outcome = Simulation.run(calm)
        #expect(outcome.violation == nil)
        #expect(outcome[.evictedAfterCrash] + outcome[.evictedAfterSilence] + outcome[.evictedByJoiner] == 0)
        #expect(outcome[.foundItselfDead] == 0)
        #expect(outcome[.completed] > 100)
        #expect(outcome[.fileAcknowledged] > 100)
        #expect(outcome[.jobDone] > 20)
        #expect(outcome[.shardWritten] > 50)
    }

    @Test(arguments: [FaultKind.outage, .restart, .clock, .hang])
    func `what happens to the database alone evicts nobody`(kind: FaultKind) {
        for seed in 1...20 as ClosedRange<UInt64> {
            var settings = settings(seed)
            settings.faults = [kind]
            let outcome = Simulation.run(settings)
            #expect(outcome.violation == nil, "seed \(seed): \(String(describing: outcome.violation))")
            #expect(outcome[.foundItselfDead] == 0, "seed \(seed)")
        }
    }
}

@Suite struct TwinTests {
    /// Those that few seeds catch; `flotilla simulate --twins` tries all.
    private static let quick: [Twin] = [
        .incarnationFromSnapshot, .deadHeartRevives, .deathWithoutVersion, .chainNeverBreaks, .lockUnheeded,
        .leadWithoutCompare, .neverAccuses, .grantOverHolder, .epochsStartAgain, .endKeepsRow,
        .publishUnsealed,
        .decideOverName, .reclaimUnread, .claimKeepsReady, .finishKeepsClaim, .submissionUnchecked,
        .keyUnordered,
        .retryMovesHead, .slotsUnguarded, .headsNobodyStages, .claimsNobodySweeps, .debtForEver,
        .claimWithoutBound, .shardUnproven, .shardTakenFromTheLiving, .ringsBelieved, .ringsAwaited,
    ]

    @Test(arguments: TwinTests.quick) func `a twin is caught by its rule`(twin: Twin) {
        let trial = TwinTrial(twin, settings: settings(1), seeds: 500)
        #expect(trial.caughtBy != nil, "\(twin.rawValue) escaped in \(trial.seeds) seeds")
    }

    @Test func `every rule has a twin`() {
        let broken = Set(Twin.allCases.flatMap(\.breaks))
        for invariant in [
            Invariant.m1, .m2, .m3, .m4, .m5, .m6, .l1, .l2, .l3, .l4, .l5, .l6, .l7, .f1, .f2, .f3, .f4, .f5,
            .d1, .d2, .d3, .d4,
        ] {
            #expect(broken.contains(invariant), "\(invariant.rawValue)")
        }
    }
}

@Suite struct ShrinkerTests {
    @Test func `a violation is told by its shortest story`() throws {
        var twin = settings(1)
        twin.twin = .deadHeartRevives
        let broken = try #require(Sweep(twin, seeds: 120).run().broken)
        var shrinker = try #require(Shrinker(broken))
        let shortest = shrinker.shrink()
        #expect(shortest.violation?.invariant == broken.violation?.invariant)
        #expect(shortest.plan.faults.count <= 3)
        #expect(shortest.story.last.map { $0.contains("is broken") || $0.contains("dead") } == true)
    }

    @Test func `a run in which nothing broke has nothing to shrink`() {
        #expect(Shrinker(Simulation.run(settings(2))) == nil)
    }
}
