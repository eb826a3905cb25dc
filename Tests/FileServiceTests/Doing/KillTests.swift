import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Testing

/// A node dies at each step of each change; another one clears up.
struct KillTests {
    enum Change: String, CaseIterable, Sendable {
        case plainPut, conditionalPut, makeFolder, remove, removeFolder, move, moveFolder
    }

    private static let cases = Change.allCases.flatMap { change in Step.allCases.map { (change, $0) } }

    @Test(arguments: Self.cases)
    func `after a death at any step the old or the new is whole, and nothing is left`(
        change: Change, step: Step
    ) async throws {
        try await TestCluster.with { cluster in
            let survivor = try await cluster.node("survivor")
            try await survivor.running {
                try await survivor.put("file", "old")
                try await survivor.put("folder/inner", "inside") { $0.makesParents = true }
            }
            let victim = try await cluster.node("victim", gate: Gate(patience: .milliseconds(200)))
            let succeeded = try await self.perform(change, on: victim, dyingAt: step)
            try await victim.bury()
            await survivor.recovery.round(scanning: false)
            try await self.check(change, acknowledged: succeeded, in: cluster)
            #expect(try await cluster.staged().isEmpty)
            #expect(try await cluster.store.unfinished(of: victim.right.incarnation, limit: 10).isEmpty)
            #expect(try await cluster.store.departures(limit: 10).isEmpty)
            #expect(try await cluster.transfers { $0.status = .running }.isEmpty)
            // Nothing blocks whoever comes next.
            let next = try await cluster.node("next")
            try await next.running {
                try await next.put("file", "next")
                try await next.put("folder/inner", "next") { $0.makesParents = true }
            }
            #expect(cluster.content("file") == "next")
        }
    }

    /// Answers whether the client was told that it is done.
    private func perform(_ change: Change, on victim: TestNode, dyingAt step: Step) async throws -> Bool {
        var acknowledged = false
        let answer = Answer()
        try? await victim.running {
            victim.gate.stop(at: step)
            let caller = victim.cluster.caller
            let (file, folder) = (try Samples.path("file"), try Samples.path("folder"))
            do {
                switch change {
                case .plainPut: try await victim.put("file", "new")
                case .conditionalPut: try await victim.put("file", "new") { $0.ifMatch = "*" }
                case .makeFolder:
                    _ = try await victim.files.makeFolder(
                        try Samples.path("made"), by: caller, parents: false)
                case .remove:
                    _ = try await victim.files.remove(file, by: caller, recursive: false, ifMatch: nil)
                case .removeFolder:
                    _ = try await victim.files.remove(folder, by: caller, recursive: true, ifMatch: nil)
                case .move:
                    _ = try await victim.files.move(file, to: try Samples.path("moved"), by: caller)
                case .moveFolder:
                    _ = try await victim.files.move(folder, to: try Samples.path("elsewhere"), by: caller)
                }
                answer.set()
            } catch {}
            try await victim.flush()
        }
        acknowledged = answer.isSet
        return acknowledged
    }

    private func check(_ change: Change, acknowledged: Bool, in cluster: TestCluster) async throws {
        let (file, inner) = (cluster.content("file"), cluster.content("folder/inner"))
        let done: Bool
        switch change {
        case .plainPut, .conditionalPut:
            #expect(file == "old" || file == "new")
            done = file == "new"
        case .makeFolder:
            let shown = try await cluster.vault.status(of: try Samples.path("made"), in: cluster.account.name)
            #expect(shown == nil || shown?.kind == .folder)
            done = shown != nil
        case .remove:
            #expect(file == "old" || file == nil)
            done = file == nil
        case .removeFolder:
            #expect(inner == "inside" || inner == nil)
            done = inner == nil
        case .move:
            let moved = cluster.content("moved")
            #expect((file == "old") != (moved == "old"))
            done = moved != nil
        case .moveFolder:
            let moved = cluster.content("elsewhere/inner")
            #expect((inner == "inside") != (moved == "inside"))
            done = moved != nil
        }
        if acknowledged { #expect(done) }
        // The log agrees with the disk: a completed record exactly for what is shown.
        let victim = try #require(NodeName("victim"))
        let completed = try await cluster.transfers {
            $0.node = victim
            $0.status = .completed
        }
        #expect((completed.count == 1) == done)
    }
}

/// Set once, from another task.
final class Answer: Sendable {
    private let gate = Gate(stopsAt: .beforeStage)
    func set() { _ = self.gate.stops(.beforeStage) }
    var isSet: Bool { self.gate.isClosed }
}
