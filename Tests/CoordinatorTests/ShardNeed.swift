import ClusterModel
import Coordinator

/// How uneven a cluster is, and the fewest moves that anybody could put it right with.
enum ShardNeed {
    struct Node {
        var incarnation: Incarnation
        var capacity: Double
    }

    /// Most loaded over the mean, both for each unit of capacity.
    static func ratio(_ loads: [Double], of holders: [Incarnation?], nodes: [Node]) -> Double {
        let mean = loads.reduce(0, +) / nodes.reduce(0) { $0 + $1.capacity }
        let levels = zip(nodes, Self.carried(loads, holders, nodes)).map { $1.reduce(0, +) / $0.capacity }
        return levels.reduce(0, max) / mean
    }

    /// A lower bound of the moves that it takes to have every shard on one of these nodes, and none of them above
    /// `band` of the mean: each shard of somebody who is not among them, and from each that is above the band its
    /// heaviest ones until it is not.
    ///
    /// Where they could go is not asked, so nobody can do with fewer.
    static func moves(_ loads: [Double], of holders: [Incarnation?], nodes: [Node], band: Double) -> Int {
        let mean = loads.reduce(0, +) / nodes.reduce(0) { $0 + $1.capacity }
        let known = Set(nodes.map(\.incarnation))
        var moves = holders.count { $0.map { !known.contains($0) } ?? true }
        for (node, shards) in zip(nodes, Self.carried(loads, holders, nodes)) {
            var rest = shards.reduce(0, +)
            for load in shards.sorted(by: >) where rest > band * mean * node.capacity * (1 + 1e-9) {
                rest -= load
                moves += 1
            }
        }
        return moves
    }

    private static func carried(_ loads: [Double], _ holders: [Incarnation?], _ nodes: [Node]) -> [[Double]] {
        nodes.map { node in
            zip(loads, holders).filter { $0.1 == node.incarnation }.map(\.0)
        }
    }
}
