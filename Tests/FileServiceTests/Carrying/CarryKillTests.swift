import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import PostgresStore
import Testing
import WorkService

/// Nodes die at each step of a job; others claim it.
@Suite(.serialized)
struct CarryKillTests {
    enum Case: String, CaseIterable, Sendable {
        case copy, copyReplacing, moveAway, rename
    }

    /// - Parameter recoversFirst: whether the dead node's decisions are cleared before the job runs again, or after.
    @Test(arguments: Case.allCases, [true, false])
    func `after a death at any step the next run does what is left, once`(
        example: Case, recoversFirst: Bool
    ) async throws {
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let survivor = try await cluster.node("survivor", gate: Gate(patience: .milliseconds(200)))
            try await survivor.running {
                for step in Step.allCases {
                    try await self.check(example, step, recoversFirst, cluster, survivor)
                }
            }
        }
    }

    private func check(
        _ example: Case, _ step: Step, _ recoversFirst: Bool, _ cluster: TestCluster, _ survivor: TestNode
    ) async throws {
        let name = step.rawValue.lowercased()
        try cluster.write("acme/\(name)", "new")
        var to = "bob/\(name)"
        switch example {
        case .copy: try await cluster.enqueue(WorkKind.copy, "acme/\(name)", to)
        case .copyReplacing:
            try cluster.write(to, "old")
            try await cluster.enqueue(WorkKind.copy, "acme/\(name)", to, #", "replace": true"#)
        case .moveAway: try await cluster.enqueue(WorkKind.move, "acme/\(name)", to)
        case .rename:
            to = "acme/to-\(name)"
            try await cluster.enqueue(WorkKind.move, "acme/\(name)", to)
        }
        let victim = try await cluster.node(name, gate: Gate(patience: .milliseconds(200)))
        try? await victim.running {
            let job = try await victim.claim()
            victim.gate.stop(at: step)
            let end = await victim.run(job)
            // A step that it never comes to: it died right after its end was lost.
            if case .failed(let reason) = end { Issue.record("\(step): \(reason)") }
            try await victim.flush()
        }
        try await victim.bury()
        if recoversFirst { try await survivor.recover(scanning: false) }
        let swept = try await cluster.database.store.sweepClaims(limit: 10, by: survivor.right)
        #expect(swept == SweptClaims(ready: 1, failed: 0))
        var end = try await survivor.work()
        if case .retry = end {
            // It waited for what the dead one had reserved.
            try await survivor.recover(scanning: false)
            end = try await survivor.work()
        }
        guard case .done = end else {
            Issue.record("\(step): \(end)")
            return
        }
        try await survivor.recover(scanning: false)
        try await survivor.flush()
        #expect(cluster.read(to) == "new", "\(step)")
        let isGone = cluster.read("acme/\(name)") == nil
        #expect(isGone == (example == .moveAway || example == .rename), "\(step)")
        let mine = try await cluster.carried().filter { $0.contains(name) }
        let expected =
            switch example {
            case .copy, .copyReplacing: ["upload \(to)"]
            case .moveAway: ["delete acme/\(name)", "upload \(to)"]
            case .rename: ["move acme/\(name)"]
            }
        #expect(mine == expected, "\(step)")
        #expect(try await cluster.staged().isEmpty, "\(step)")
        #expect(
            try await cluster.store.unfinished(of: victim.right.incarnation, limit: 10).isEmpty, "\(step)")
    }
}
