import ClusterModel
import ClusterPorts
import FileService
import Foundation
import NIOCore
import Testing

struct RecoveryTests {
    @Test func `a woken zombie's files are found again, and those of the living and the coming stay`()
        async throws
    {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            let zombie = try await cluster.node("zombie")
            let coming = try #require(Incarnation(rawValue: zombie.right.incarnation.rawValue + 100))
            _ = try await cluster.vault.note(coming)
            try await zombie.bury()
            _ = try await cluster.vault.stage(UUID(), for: two.right.incarnation).seal()
            await one.recovery.round(scanning: true)
            #expect(try await cluster.store.departures(limit: 1).isEmpty)
            // It wakes and writes, if there is still a place where it can.
            _ = try? await cluster.vault.note(zombie.right.incarnation)
            let late = try? await cluster.vault.stage(UUID(), for: zombie.right.incarnation)
            _ = try? await late?.append(ByteBuffer(string: "late"))
            _ = try? await late?.seal()
            await one.recovery.round(scanning: true)
            #expect(try await cluster.staged().map(\.incarnation) == [two.right.incarnation])
            #expect(try await cluster.vault.stagingIncarnations().contains(coming))
        }
    }

    @Test func `what died while it ran is logged as failed by whoever clears up`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            let operation = try Samples.operation()
            var record = try Samples.record(operation, .running)
            record.incarnation = two.right.incarnation
            try await cluster.store.record([record], by: two.right)
            try await two.bury()
            await one.recovery.round(scanning: false)
            let ended = try #require(try await cluster.store.transfer(id: operation.id))
            #expect(ended.status == .failed)
            #expect(ended.reason == "the node died")
        }
    }

    @Test func `two that clear one departure at once do no harm`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            let victim = try await cluster.node("victim")
            try? await victim.running {
                victim.gate.stop(at: .beforePublish)
                try await victim.put("a", "decided")
            }
            try await victim.bury()
            await withTaskGroup { group in
                for node in [one, two, one, two] {
                    group.addTask { await node.recovery.round(scanning: true) }
                }
            }
            await one.recovery.round(scanning: false)
            #expect(cluster.content("a") == "decided")
            #expect(try await cluster.staged().isEmpty)
            #expect(try await cluster.transfers().map(\.status) == [.completed])
            #expect(try await cluster.store.departures(limit: 1).isEmpty)
        }
    }
}
