import ClusterModel

/// How uneven the cluster is, and the fewest moves that anybody could put it right with; by true loads.
struct BalanceNeed {
    /// The active ones, with their capacities.
    private let capacities: [Incarnation: Double]
    private let loads: [Double]
    private let mean: Double

    init(_ loads: [Double], view: ClusterView) {
        let active = view.members.filter { $0.status == .active }
        self.capacities = Dictionary(active.map { ($0.incarnation, Double($0.capacity)) }) { first, _ in first
        }
        self.loads = loads
        self.mean = loads.reduce(0, +) / max(1, self.capacities.values.reduce(0, +))
    }

    /// Most loaded over the mean, both for each unit of capacity, by who owns what.
    func ratio(_ records: [ShardRecord]) -> Double {
        let levels = self.capacities.map { node, capacity in
            self.carried(node, records.map(\.owner)).reduce(0, +) / capacity
        }
        return (levels.max() ?? 0) / self.mean
    }

    /// Each shard of somebody who is not active, and from each node above `band` of the mean its heaviest ones until it
    /// is not: where they could go is not asked, so nobody can do with fewer.
    func moves(_ records: [ShardRecord], band: Double) -> Int {
        let wanted = records.map(\.wanted)
        var moves = wanted.count { $0.map { self.capacities[$0] == nil } ?? true }
        for (node, capacity) in self.capacities {
            let shards = self.carried(node, wanted)
            var rest = shards.reduce(0, +)
            for load in shards.sorted(by: >) where rest > band * self.mean * capacity * (1 + 1e-9) {
                rest -= load
                moves += 1
            }
        }
        return moves
    }

    private func carried(_ node: Incarnation, _ holders: [Incarnation?]) -> [Double] {
        zip(self.loads, holders).filter { $0.1 == node }.map(\.0)
    }
}
