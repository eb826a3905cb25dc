import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Testing

/// A node dies at each step of each change; another one clears up.
@Suite(.serialized)
struct KillTests {
    enum Change: String, CaseIterable, Sendable {
        case plainPut, awaitedPut, conditionalPut, makeFolder, remove, removeFolder, move, moveFolder, copy,
            copyFolder
    }

    @Test(arguments: Change.allCases)
    func `after a death at any step the old or the new is whole, and nothing is left`(change: Change)
        async throws
    {
        try await TestCluster.with { cluster in
            let survivor = try await cluster.node("survivor")
            try await survivor.running {
                for step in Step.allCases { try await self.check(change, step, in: cluster, survivor) }
            }
        }
    }

    private func check(
        _ change: Change, _ step: Step, in cluster: TestCluster, _ survivor: TestNode
    ) async throws {
        // A folder for each step; the victim is named like it.
        let place = step.rawValue.lowercased()
        try await survivor.put("\(place)/file", "old") { $0.makesParents = true }
        try await survivor.put("\(place)/folder/inner", "inside") { $0.makesParents = true }
        let victim = try await cluster.node(place, gate: Gate(patience: .milliseconds(200)))
        let acknowledged = try await self.perform(change, in: place, on: victim, dyingAt: step)
        try await victim.bury()
        try await survivor.recover()
        try await self.check(change, in: place, acknowledged: acknowledged, by: victim, cluster)
        #expect(try await cluster.staged().isEmpty, "\(step)")
        #expect(
            try await cluster.store.unfinished(of: victim.right.incarnation, limit: 10).isEmpty, "\(step)")
        #expect(try await cluster.store.departures(limit: 10).isEmpty, "\(step)")
        #expect(try await cluster.transfers { $0.status = .running }.isEmpty, "\(step)")
        // Nothing blocks whoever comes next.
        try await survivor.put("\(place)/file", "next")
        try await survivor.put("\(place)/folder/inner", "next") { $0.makesParents = true }
        #expect(cluster.content("\(place)/file") == "next", "\(step)")
    }

    /// Answers whether the client was told that it is done.
    private func perform(
        _ change: Change, in place: String, on victim: TestNode, dyingAt step: Step
    ) async throws -> Bool {
        let acknowledged = Shared(false)
        try? await victim.running {
            victim.gate.stop(at: step)
            let caller = victim.cluster.caller
            let (file, folder) = (try Samples.path("\(place)/file"), try Samples.path("\(place)/folder"))
            do {
                switch change {
                case .plainPut: try await victim.put("\(place)/file", "new")
                case .awaitedPut: try await victim.put("\(place)/file", "new") { $0.isBodyAskedFor = true }
                case .conditionalPut: try await victim.put("\(place)/file", "new") { $0.ifMatch = "*" }
                case .makeFolder:
                    _ = try await victim.files.makeFolder(
                        try Samples.path("\(place)/made"), by: caller, parents: false)
                case .remove:
                    _ = try await victim.files.remove(file, by: caller, recursive: false, ifMatch: nil)
                case .removeFolder:
                    _ = try await victim.files.remove(folder, by: caller, recursive: true, ifMatch: nil)
                case .move:
                    _ = try await victim.files.move(file, to: try Samples.path("\(place)/moved"), by: caller)
                case .moveFolder:
                    _ = try await victim.files.move(
                        folder, to: try Samples.path("\(place)/elsewhere"), by: caller)
                case .copy:
                    _ = try await victim.files.copy(
                        file, to: try Samples.path("\(place)/copy"), by: caller, options: CopyOptions())
                case .copyFolder:
                    _ = try await victim.files.copy(
                        folder, to: try Samples.path("\(place)/copy"), by: caller, options: CopyOptions())
                }
                acknowledged.change { $0 = true }
            } catch {}
            try await victim.flush()
        }
        return acknowledged.value
    }

    private func check(
        _ change: Change, in place: String, acknowledged: Bool, by victim: TestNode, _ cluster: TestCluster
    ) async throws {
        let (file, inner) = (cluster.content("\(place)/file"), cluster.content("\(place)/folder/inner"))
        let done: Bool
        switch change {
        case .plainPut, .awaitedPut, .conditionalPut:
            #expect(file == "old" || file == "new")
            done = file == "new"
        case .makeFolder:
            let shown = try await cluster.vault.status(
                of: try Samples.path("\(place)/made"), in: cluster.account.name)
            #expect(shown == nil || shown?.kind == .folder)
            done = shown != nil
        case .remove:
            #expect(file == "old" || file == nil)
            done = file == nil
        case .removeFolder:
            #expect(inner == "inside" || inner == nil)
            done = inner == nil
        case .move:
            let moved = cluster.content("\(place)/moved")
            #expect((file == "old") != (moved == "old"))
            done = moved != nil
        case .moveFolder:
            let moved = cluster.content("\(place)/elsewhere/inner")
            #expect((inner == "inside") != (moved == "inside"))
            done = moved != nil
        case .copy:
            let copy = cluster.content("\(place)/copy")
            #expect(file == "old" && (copy == "old" || copy == nil))
            done = copy != nil
        case .copyFolder:
            let copy = cluster.content("\(place)/copy/inner")
            #expect(inner == "inside" && (copy == "inside" || copy == nil))
            done = copy != nil
            let shown = try await cluster.vault.status(
                of: try Samples.path("\(place)/copy"), in: cluster.account.name)
            #expect((shown != nil) == done, "a part of the copy is shown")
        }
        if acknowledged { #expect(done, "\(place)") }
        // The log agrees with the disk: a completed record exactly for what is shown.
        let completed = try await cluster.transfers {
            $0.node = victim.right.name
            $0.status = .completed
        }
        #expect((completed.count == 1) == done, "\(place)")
    }
}
