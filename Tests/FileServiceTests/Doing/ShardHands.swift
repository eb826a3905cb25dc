import ClusterModel
import ClusterPorts
import FileService
import Foundation

/// What a node holds of shards, as a test says it.
final class ShardHands: ShardDesk {
    private let gone = Shared<Set<ShardTitle>>([])

    var lostTitles: Set<ShardTitle> { self.gone.value }
    func holds(_ title: ShardTitle) -> Bool { !self.gone.value.contains(title) }
    func lost(_ title: ShardTitle) { self.gone.change { $0.insert(title) } }
}

extension TestCluster {
    /// Gives all shards to a node, whoever had them.
    func give(_ node: TestNode) async throws -> [ShardTitle] {
        let view = try await self.store.view()
        func right(_ incarnation: Incarnation) -> NodeRight? {
            view.members.first { $0.incarnation == incarnation && $0.status != .dead }.map {
                NodeRight(slot: $0.slot, incarnation: $0.incarnation, name: $0.name)
            }
        }
        let leader: LeaderRight
        if let lead = view.livingLeader, let other = right(lead.incarnation) {
            leader = LeaderRight(right: other, term: lead.term)
        } else {
            let claim = LeadClaim(right: node.right, term: view.leader?.term ?? 0)
            guard let lead = try await self.store.takeLead(claim) else { throw NotJoined() }
            leader = LeaderRight(right: node.right, term: lead.term)
        }
        let me = node.right.incarnation
        let records = try await self.store.shards()
        for (owner, others) in Dictionary(grouping: records, by: \.owner) {
            guard let owner, owner != me, let right = right(owner) else { continue }
            let titles = others.compactMap { record in
                record.epoch.map { ShardTitle(number: record.number, epoch: $0) }
            }
            _ = try await self.store.release(titles, by: right)
        }
        let moves = records.filter { $0.wanted != me }.map {
            ShardMove(number: $0.number, from: $0.wanted, to: me, cause: .unassigned)
        }
        _ = try await self.store.assign(moves, by: leader)
        let takings = records.filter { $0.owner != me }.map {
            ShardTaking(number: $0.number, after: $0.epoch)
        }
        _ = try await self.store.take(takings, by: node.right)
        return try await self.store.shards().compactMap { record in
            guard record.owner == me, let epoch = record.epoch else { return nil }
            return ShardTitle(number: record.number, epoch: epoch)
        }
    }
}

extension TestNode {
    /// Takes all shards and clears what the dead left.
    ///
    /// - Parameter scanning: also looks through the staging of those cleared before.
    func recover(scanning: Bool = false) async throws {
        let shards = try await self.cluster.give(self)
        let hands = ShardHands()
        _ = await self.recovery.clearDepartures(of: shards, by: self.right, hands)
        if scanning { await self.recovery.lookThrough(shards, by: self.right, hands) }
    }
}
