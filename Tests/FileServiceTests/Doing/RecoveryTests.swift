import ClusterModel
import ClusterPorts
import ClusterTestKit
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
            try await one.recover(scanning: true)
            #expect(try await cluster.store.departures(limit: 1).isEmpty)
            // It wakes and writes, if there is still a place where it can.
            _ = try? await cluster.vault.note(zombie.right.incarnation)
            let late = try? await cluster.vault.stage(UUID(), for: zombie.right.incarnation)
            _ = try? await late?.append(ByteBuffer(string: "late"))
            _ = try? await late?.seal()
            try await one.recover(scanning: true)
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
            try await one.recover()
            let ended = try #require(try await cluster.store.transfer(id: operation.id))
            #expect(ended.status == .failed)
            #expect(ended.reason == "the node died")
        }
    }

    @Test func `two that clear one departure at once do no harm, and only one may say that it is cleared`()
        async throws
    {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            let victim = try await cluster.node("victim")
            try? await victim.running {
                victim.gate.stop(at: .beforePublish)
                try await victim.put("a", "decided")
            }
            try await victim.bury()
            // The shard went from one to two while one was at it, and one does not know.
            let (stale, fresh) = (try await cluster.give(one), try await cluster.give(two))
            let hands = [ShardHands(), ShardHands()]
            await withTaskGroup { group in
                for (node, shards, hand) in [
                    (one, stale, hands[0]), (two, fresh, hands[1]), (one, stale, hands[0]),
                    (two, fresh, hands[1]),
                ] {
                    group.addTask {
                        _ = await node.recovery.clearDepartures(of: shards, by: node.right, hand)
                    }
                }
            }
            let number = ShardNumber(of: victim.right.incarnation)
            #expect(hands[0].lostTitles.map(\.number) == [number])
            #expect(hands[1].lostTitles.isEmpty)
            #expect(cluster.content("a") == "decided")
            #expect(try await cluster.staged().isEmpty)
            #expect(try await cluster.transfers().map(\.status) == [.completed])
            #expect(try await cluster.store.departures(limit: 1).isEmpty)
        }
    }

    @Test func `a departure is cleared by whoever owns its shard, when the heartbeat says so`() async throws {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            let victim = try await cluster.node("victim")
            try await victim.bury()
            let (all, hands) = (try await cluster.give(one), ShardHands())
            let number = ShardNumber(of: victim.right.incarnation)
            let others = all.filter { $0.number != number }
            // Nobody has said that somebody departed.
            _ = await one.recovery.round(all, by: one.right, hands)
            one.standing.set(sweepDue: true)
            _ = await one.recovery.round(others, by: one.right, hands)
            #expect(
                try await cluster.store.departures(limit: 1).map(\.incarnation) == [victim.right.incarnation])
            let round = await one.recovery.round(all, by: one.right, hands)
            #expect(round.done.keys.sorted() == [number])
            #expect(try await cluster.store.departures(limit: 1).isEmpty)
        }
    }
}
