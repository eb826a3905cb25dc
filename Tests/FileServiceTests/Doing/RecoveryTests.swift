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

    private func stubborn(
        _ cluster: TestCluster, by node: TestNode, _ limits: (inout Recovery.Limits) -> Void = { _ in }
    ) -> Recovery {
        var changed = Recovery.Limits()
        limits(&changed)
        return Recovery(
            vault: GatedVault(inner: cluster.vault, gate: node.gate), names: cluster.store,
            transfers: cluster.store, segments: cluster.database.store, cluster: cluster.store,
            departures: cluster.store, standing: node.standing, limits: changed, logger: TestCluster.logger)
    }

    @Test func `a folder without end takes its time, and those behind it are cleared in the next round`()
        async throws
    {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            var victims: [TestNode] = []
            for number in 1...3 { victims.append(try await cluster.node("victim-\(number)")) }
            for victim in victims {
                _ = try await cluster.vault.stage(UUID(), for: victim.right.incarnation).seal()
                try await victim.bury()
            }
            let (first, others) = (victims[0].right.incarnation, victims[1...].map(\.right.incarnation))
            one.gate.setFolders(endless: [first])
            let recovery = self.stubborn(cluster, by: one) { limits in
                limits.round = .milliseconds(50)
                limits.each = .milliseconds(50)
            }
            let (shards, hands) = (try await cluster.give(one), ShardHands())
            let round = await recovery.clearDepartures(of: shards, by: one.right, hands)
            #expect(round.rest == .seconds(1))
            let left = try await cluster.store.departures(limit: 9).map(\.incarnation)
            #expect(left.contains(first) && left.contains { others.contains($0) })
            try await eventually("the others are cleared") {
                _ = await recovery.clearDepartures(of: shards, by: one.right, hands)
                return try await cluster.store.departures(limit: 9).map(\.incarnation) == [first]
            }
            one.gate.setFolders()
            _ = await recovery.clearDepartures(of: shards, by: one.right, hands)
            #expect(try await cluster.store.departures(limit: 9).isEmpty)
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `a folder that cannot be read holds up no other, neither at once nor later`() async throws {
        try await TestCluster.with { cluster in
            // Two that staged something and never joined: nobody clears that but who looks through all folders.
            var strays: [Incarnation] = []
            for _ in 0..<2 {
                let stray = try await cluster.store.nextIncarnation(above: nil)
                _ = try await cluster.vault.note(stray)
                _ = try await cluster.vault.stage(UUID(), for: stray).seal()
                strays.append(stray)
            }
            let one = try await cluster.node("one")
            let (bad, good) = (try await cluster.node("bad"), try await cluster.node("good"))
            try await bad.bury()
            try await good.bury()
            one.gate.setFolders(unreadable: [bad.right.incarnation])
            let recovery = self.stubborn(cluster, by: one)
            let (shards, hands) = (try await cluster.give(one), ShardHands())
            let round = await recovery.clearDepartures(of: shards, by: one.right, hands)
            #expect(round.rest == .seconds(5))
            #expect(
                try await cluster.store.departures(limit: 9).map(\.incarnation) == [bad.right.incarnation])
            one.gate.setFolders()
            _ = await recovery.clearDepartures(of: shards, by: one.right, hands)
            #expect(try await cluster.store.departures(limit: 9).isEmpty)
            one.gate.setFolders(unreadable: [strays[0]])
            await recovery.lookThrough(shards, by: one.right, hands)
            #expect(try await cluster.staged().map(\.incarnation) == [strays[0]])
        }
    }
}
