import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Simulator
import Testing

/// The same operations, drawn by a seed, against the simulated database and a real PostgreSQL: every answer
/// and every row must be the same.
///
/// Without this a simulation would prove nothing about SQL.
@Suite struct DifferentialTests {
    /// Long ones: real time that passes during a test must not count.
    ///
    /// What shall pass is taken off the rows' times.
    static let times = MembershipTimes(
        chainGap: .seconds(45), fastWindow: .seconds(50), slowWindow: .seconds(500),
        claimWindow: .seconds(3_000))

    /// More of them by hand: `FLOTILLA_TEST_SEEDS=30`.
    static let seeds: ClosedRange<UInt64> = {
        let asked = ProcessInfo.processInfo.environment["FLOTILLA_TEST_SEEDS"].flatMap { UInt64($0) }
        return 1...max(1, asked ?? 3)
    }()

    @Test(arguments: Self.seeds) func `both databases answer the same`(seed: UInt64) async throws {
        try await withTestDatabase(times: Self.times) { database in
            let twins = try await StorePair(database, seed: seed, times: Self.times, twin: nil)
            // Longer where lots have left something out.
            let all = StorePair.Operation.allCases.count
            for step in 0..<3_000 where step < 700 || twins.done.count < all || twins.kills == 0 {
                try await twins.step()
            }
            #expect(twins.differences.isEmpty, "\(twins.trail.suffix(30).joined(separator: "\n"))")
            #expect(twins.done.count == StorePair.Operation.allCases.count, "\(twins.done)")
            #expect(twins.kills > 0)
        }
    }

    @Test(arguments: [
        Twin.deathWithoutVersion, .endKeepsRow, .accuserUnproven, .lockUnheeded, .rightUnchecked,
        .decideOverName, .decideUnfenced, .claimKeepsReady, .finishKeepsClaim, .submissionUnchecked,
        .keyUnordered, .headsNobodyStages, .claimWithoutBound, .postponedCounts,
    ])
    func `a difference that was made on purpose is noticed`(twin: Twin) async throws {
        try await withTestDatabase(times: Self.times) { database in
            let twins = try await StorePair(database, seed: 1, times: Self.times, twin: twin)
            for _ in 0..<3_000 where twins.differences.isEmpty { try await twins.step() }
            #expect(!twins.differences.isEmpty)
        }
    }
}
