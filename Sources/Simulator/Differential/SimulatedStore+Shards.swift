package import ClusterModel
package import ClusterPorts

extension SimulatedStore: ShardStore {
    package func shards() throws(StoreError) -> [ShardRecord] { try self.run(ReadShardsStatement()).records }

    package func shards(
        of incarnation: Incarnation, and numbers: [ShardNumber]
    ) throws(StoreError) -> [ShardRecord] {
        try self.run(ReadShardsStatement(of: incarnation, and: numbers)).records
    }

    package func assign(_ moves: [ShardMove], by leader: LeaderRight) throws(StoreError) -> [ShardNumber] {
        try self.run(AssignShardsStatement(moves, leader)).written
    }

    package func take(_ shards: [ShardTaking], by right: NodeRight) throws(StoreError) -> [ShardTitle] {
        try self.run(TakeShardsStatement(shards, right)).taken
    }

    package func release(_ titles: [ShardTitle], by right: NodeRight) throws(StoreError) -> [ShardTitle] {
        try self.run(OwnShardsStatement(titles, .release, right)).proven
    }

    package func report(_ loads: [ShardLoadReport], by right: NodeRight) throws(StoreError) -> [ShardTitle] {
        try self.run(OwnShardsStatement(loads.map(\.title), .report(loads.map(\.load)), right)).proven
    }

    package func pin(_ number: ShardNumber, to node: NodeName?) throws(StoreError) {
        _ = try self.run(PinShardStatement(Int(number.rawValue), to: node))
    }

    package func move(
        _ number: ShardNumber, to target: Incarnation, reason: String
    ) throws(StoreError) -> Bool {
        try self.run(MoveShardStatement(Int(number.rawValue), to: target)).isAllowed
    }
}
