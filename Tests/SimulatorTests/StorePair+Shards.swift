import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresStore
import Simulator
import Testing

/// Operations on shards: few of them, so that nodes meet.
extension StorePair {
    private func number() throws -> ShardNumber { try #require(ShardNumber(self.lots.below(5))) }

    func assignShards() async throws {
        let members = try self.simulated.view()
        let leading = members.leader.flatMap { leader in
            self.nodes.first { $0.right.incarnation == leader.incarnation }
        }
        guard let place = self.place(), let to = self.place() else { return }
        let right =
            self.lots.chance(800) ? leading?.right ?? self.nodes[place].right : self.nodes[place].right
        let number = try self.number()
        let known = try self.simulated.shards()[Int(number.rawValue)].wanted
        let from = self.lots.chance(800) ? known : self.nodes[place].right.incarnation
        let move = ShardMove(
            number: number, from: from, to: self.nodes[to].right.incarnation, cause: .unassigned)
        let leader = LeaderRight(right: right, term: self.term)
        let real = try await self.real.assign([move], by: leader)
        self.compare(
            "\(right.incarnation) assigns shard \(number) to \(move.to)", real,
            try self.simulated.assign([move], by: leader))
    }

    /// By who shall have it, mostly, after what its row says, mostly.
    func takeShards() async throws {
        let number = try self.number()
        let row = try self.simulated.shards()[Int(number.rawValue)]
        let epoch = try await self.real.shards()[Int(number.rawValue)].epoch
        let wanted = self.nodes.first { $0.right.incarnation == row.wanted }
        guard let place = self.place() else { return }
        let right = self.lots.chance(800) ? wanted?.right ?? self.nodes[place].right : self.nodes[place].right
        let isStale = self.lots.chance(150)
        let real = try await self.real.take(
            [ShardTaking(number: number, after: isStale ? nil : epoch)], by: right)
        let simulated = try self.simulated.take(
            [ShardTaking(number: number, after: isStale ? nil : row.epoch)], by: right)
        self.compare(
            "\(right.incarnation) takes shard \(number)", real.map(\.number), simulated.map(\.number))
        guard let title = real.first, let other = simulated.first else { return }
        self.owned.append(Owned(real: title, simulated: other, right: right))
    }

    private func someOwned() -> Owned? {
        guard !self.owned.isEmpty else { return nil }
        var owned = self.owned[self.owned.count - 1 - self.lots.below(min(self.owned.count, 8))]
        if self.lots.chance(100), let place = self.place() { owned.right = self.nodes[place].right }
        return owned
    }

    func releaseShards() async throws {
        guard let owned = self.someOwned() else { return }
        let real = try await self.real.release([owned.real], by: owned.right)
        self.compare(
            "\(owned.right.incarnation) releases shard \(owned.real.number)", real.map(\.number),
            try self.simulated.release([owned.simulated], by: owned.right).map(\.number))
    }

    func reportShards() async throws {
        guard let owned = self.someOwned() else { return }
        let load = Double(self.lots.below(100))
        let real = try await self.real.report(
            [ShardLoadReport(title: owned.real, load: load)], by: owned.right)
        self.compare(
            "\(owned.right.incarnation) reports shard \(owned.real.number)", real.map(\.number),
            try self.simulated.report([ShardLoadReport(title: owned.simulated, load: load)], by: owned.right)
                .map(\.number))
    }

    func pinShard() async throws {
        let number = try self.number()
        let name = self.lots.chance(500) ? NodeName("node-\(self.lots.below(4))") : nil
        try await self.real.pin(number, to: name)
        try self.simulated.pin(number, to: name)
    }

    /// To any node, mostly one that lives and seldom one where it is not pinned away from.
    func moveShard() async throws {
        let number = try self.number()
        guard let place = self.place() else { return }
        let target = self.nodes[place].right.incarnation
        let real = try await self.real.move(number, to: target, reason: "by hand")
        self.compare(
            "shard \(number) is moved to \(target)", real,
            try self.simulated.move(number, to: target, reason: "by hand"))
    }

    func compareShards(after what: String) async throws {
        let real = try await self.real.shards()
        self.compare(
            "\(what), shards", real.compactMap(Self.shape), try self.simulated.shards().compactMap(Self.shape)
        )
    }

    /// Nil for one that nobody has touched.
    private static func shape(_ record: ShardRecord) -> String? {
        guard record.wanted != nil || record.pinned != nil else { return nil }
        let wanted = record.wanted.map { "\($0)" } ?? "nobody"
        let owner = record.owner.map { "\($0)" } ?? "nobody"
        let pinned = record.pinned.map { " pinned to \($0)" } ?? ""
        return
            "\(record.number): \(wanted), term \(record.term); \(owner), \(record.epoch == nil ? "never" : "once")"
            + "\(pinned), load \(record.load)"
    }
}
