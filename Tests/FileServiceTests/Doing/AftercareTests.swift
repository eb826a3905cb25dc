import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import Testing

/// A node that lives on settles what it could not settle at once; nobody else would before it departs.
struct AftercareTests {
    /// A node whose hook is called when a decision was committed, before it is carried out.
    private func node(
        in cluster: TestCluster, afterDecide hook: Shared<HookedNames.Hook>
    ) async throws -> TestNode {
        try await cluster.node(
            "one",
            names: { names in
                HookedNames(
                    inner: names, afterDecide: { () async throws(StoreError) in try await hook.value() })
            })
    }

    private func nothingIsUnfinished(of node: TestNode) async throws -> Bool {
        try await node.cluster.store.unfinished(of: node.right.incarnation, limit: 1).isEmpty
    }

    @Test func `a decision whose node was cut off at that moment is carried out when it is back`()
        async throws
    {
        try await TestCluster.with { cluster in
            let hook = Shared<HookedNames.Hook>({})
            let node = try await self.node(in: cluster, afterDecide: hook)
            try await node.running {
                for standing in [Standing.isolated(node.right), .sick(node.right, reason: "no mount")] {
                    hook.change { $0 = { node.standing.set(standing) } }
                    await #expect(throws: FileServiceError.self) { try await node.put("a", "\(standing)") }
                    #expect(cluster.content("a") != "\(standing)")
                    node.standing.set(.serving(node.right, ConfigVersion(1)))
                    try await eventually("it is carried out") { cluster.content("a") == "\(standing)" }
                    try await eventually("it is finished") { try await self.nothingIsUnfinished(of: node) }
                }
                hook.change { $0 = {} }
            }
            #expect(try await cluster.transfers().map(\.status) == [.completed, .completed])
        }
    }

    @Test func `a folder stays marked until its decided removal is carried out`() async throws {
        try await TestCluster.with { cluster in
            let hook = Shared<HookedNames.Hook>({})
            let node = try await self.node(in: cluster, afterDecide: hook)
            let other = try await cluster.node("two", gate: Gate(patience: .milliseconds(100)))
            try await node.running {
                try await other.running {
                    try await node.put("f/old", "old") { $0.makesParents = true }
                    hook.change { $0 = { node.standing.set(.isolated(node.right)) } }
                    let folder = try Samples.path("f")
                    await #expect(throws: FileServiceError.self) {
                        try await node.files.remove(folder, by: cluster.caller, recursive: true, ifMatch: nil)
                    }
                    // What was acknowledged here would go away with the folder.
                    await #expect(
                        throws: FileServiceError.busy(try Samples.path("f/new"), retryAfterSeconds: 1)
                    ) {
                        try await other.put("f/new", "new")
                    }
                    hook.change { $0 = {} }
                    node.standing.set(.serving(node.right, ConfigVersion(1)))
                    try await eventually("the folder is gone") { cluster.content("f/old") == nil }
                    try await eventually("its marks are gone") {
                        do {
                            try await other.put("f/new", "new") { $0.makesParents = true }
                            return true
                        } catch FileServiceError.busy {
                            return false
                        }
                    }
                    #expect(cluster.content("f/new") == "new")
                }
            }
        }
    }

    @Test func `an upload of which nobody could say whether it was decided is logged as failed`() async throws
    {
        try await TestCluster.with { cluster in
            let isAway = Shared(true)
            let away: HookedNames.Hook = { () throws(StoreError) in
                if isAway.value { throw .mayHaveRun("the database is away") }
            }
            let node = try await cluster.node(
                "one", gate: Gate(patience: .milliseconds(100)),
                names: { HookedNames(inner: $0, beforeDecide: away, beforeRead: away) })
            try await node.running {
                await #expect(throws: FileServiceError.self) { try await node.put("a", "new") }
                #expect(try await cluster.staged().count == 1)
                isAway.change { $0 = false }
                try await eventually("its failure is in the log") {
                    try await cluster.transfers().map(\.status) == [.failed]
                }
                #expect(try await cluster.staged().isEmpty)
            }
        }
    }
}
