import ClusterModel
import ClusterPorts
import HTTPDoor
import HTTPTypes
import Hummingbird
import NIOCore

/// Who owns which shard of the standing work, why, and where operators want it.
extension AdminResponder {
    func answerShards(
        _ route: ShardRoute, _ request: Request, _ query: [RequestTarget.QueryItem], by asker: String,
        _ channel: any Channel
    ) async throws -> Response {
        if case .list = route {
            let filters = try ShardFilters(query)
            let records = try await self.onStore { () async throws(StoreError) in
                try await self.shards.shards()
            }
            return JSONText.response(.ok, filters.page(records, in: try self.view()))
        }
        try QueryReader(query).finish()
        switch route {
        case .list: preconditionFailure("\(route) was answered before")
        case .show(let text):
            let record = try await self.shard(try Self.number(text))
            let because = self.shardExplainer?.because(record) ?? []
            return JSONText.response(
                .ok, ShardStoryAnswer(ShardAnswer(record, in: try self.view()), because: because))
        case .pin(let text):
            let number = try Self.number(text)
            let member = try self.target(try ShardTarget(try await self.body(of: request, channel)))
            return try await self.pin(number, to: member.name)
        case .unpin(let text): return try await self.pin(try Self.number(text), to: nil)
        case .move(let text):
            let number = try Self.number(text)
            let member = try self.target(try ShardTarget(try await self.body(of: request, channel)))
            return try await self.move(number, to: member, by: asker)
        }
    }

    private func pin(_ number: ShardNumber, to node: NodeName?) async throws -> Response {
        try await self.onStore { () async throws(StoreError) in try await self.shards.pin(number, to: node) }
        return try await self.answer(number)
    }

    private func move(_ number: ShardNumber, to member: Member, by asker: String) async throws -> Response {
        guard member.status == .active else {
            throw Problem(
                .conflict, .changed,
                "the node “\(member.name)” is \(member.status.rawValue): only an active one can take a shard"
            ).with("name", member.name.description)
        }
        let isMoved = try await self.onStore { () async throws(StoreError) in
            try await self.shards.move(number, to: member.incarnation, reason: "moved by \(asker)")
        }
        guard isMoved else {
            throw Problem(
                .conflict, .changed,
                "shard \(number) is pinned to another node, or “\(member.name)” is not active any more"
            ).with("name", member.name.description)
        }
        return try await self.answer(number)
    }

    /// The shard as it is now.
    private func answer(_ number: ShardNumber) async throws -> Response {
        JSONText.response(.ok, ShardAnswer(try await self.shard(number), in: try self.view()))
    }

    private func shard(_ number: ShardNumber) async throws(Problem) -> ShardRecord {
        let records = try await self.onStore { () async throws(StoreError) in try await self.shards.shards() }
        guard let record = records.first(where: { $0.number == number }) else {
            throw Problem(.internalServerError, .failed, "shard \(number) has no row")
        }
        return record
    }

    /// A living node before a dead one that had the name earlier.
    private func target(_ order: ShardTarget) throws(Problem) -> Member {
        let named = try self.view().members.filter { $0.name == order.node }
        guard let member = named.first(where: { $0.status != .dead }) ?? named.first else {
            throw BodyFields.invalid("node", "there is no node “\(order.node)”")
        }
        return member
    }

    private static func number(_ text: String) throws(Problem) -> ShardNumber {
        guard let value = Int(text), "\(value)" == text, let number = ShardNumber(value) else {
            throw AdminProblems.unknown("shard", text)
        }
        return number
    }
}
