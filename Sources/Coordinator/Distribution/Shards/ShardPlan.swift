import ClusterModel

/// Who would carry what if the moves that were decided so far were done.
struct ShardPlan {
    struct Node {
        var incarnation: Incarnation
        var name: NodeName
        var key: UInt64
        var capacity: Double
        /// May be given shards.
        var isOpen: Bool
        /// The weights of its shards.
        var carried = 0.0
    }

    struct Shard {
        var record: ShardRecord
        var weight: Double
        /// Its place among the nodes; nil when nobody who is active should have it.
        var node: Int?
        /// Where an operator wants it, if that node is active.
        var pin: Int?
        /// May be moved for balance.
        var isMovable: Bool
    }

    /// The active ones, by slot.
    private(set) var nodes: [Node]
    /// By number.
    private(set) var shards: [Shard]
    private(set) var moves: [ShardMove] = []
    /// What each node would carry for each unit of capacity if all carried the same.
    private(set) var mean = 0.0
    /// What a node whose load is above this says of itself.
    private static let fullLoad: Float = 1

    init(_ records: [ShardRecord], view: ClusterView, rules: ShardRules) {
        let active = view.members.filter { $0.status == .active }.sorted { $0.slot < $1.slot }
        let isAnyRested = active.contains { $0.load.load <= Self.fullLoad }
        self.nodes = active.map { member in
            Node(
                incarnation: member.incarnation, name: member.name, key: ShardScore.key(member.name),
                capacity: Double(max(1, member.capacity)),
                isOpen: !isAnyRested || member.load.load <= Self.fullLoad)
        }
        let places = Dictionary(self.nodes.indices.map { (active[$0].incarnation, $0) }) { first, _ in first }
        let names = Dictionary(self.nodes.indices.map { (active[$0].name, $0) }) { first, _ in first }
        let total = records.reduce(0) { $0 + ShardLoad.sane($1.load) }
        let idle = total > 0 ? total / Double(max(1, records.count)) * rules.idleWeight : 1
        self.shards = records.sorted { $0.number < $1.number }.map { record in
            let pin = record.pinned.flatMap { names[$0] }
            // A clock that was stepped back tells nothing about the stay.
            let hasStayed = record.movedFor >= rules.minimumStay || record.movedFor < .zero
            return Shard(
                record: record, weight: ShardLoad.sane(record.load) + idle,
                node: record.wanted.flatMap { places[$0] }, pin: pin,
                isMovable: pin == nil && hasStayed && record.owner == record.wanted)
        }
        for shard in self.shards {
            if let node = shard.node { self.nodes[node].carried += shard.weight }
        }
        self.mean = self.fairMean()
    }

    /// A closed node that carries less than the mean does not count: nobody can make it carry more.
    private func fairMean() -> Double {
        var counted = Array(self.nodes.indices)
        var weight = self.shards.reduce(0) { $0 + $1.weight }
        while true {
            let capacity = counted.reduce(0) { $0 + self.nodes[$1].capacity }
            let mean = weight / max(1, capacity)
            let low = counted.filter { !self.nodes[$0].isOpen && self.level(of: $0) < mean }
            guard !low.isEmpty else { return mean }
            counted.removeAll { low.contains($0) }
            weight -= low.reduce(0) { $0 + self.nodes[$1].carried }
        }
    }

    /// What a node carries for each unit of its capacity, with so much more.
    func level(of node: Int, with weight: Double = 0) -> Double {
        (self.nodes[node].carried + weight) / self.nodes[node].capacity
    }

    func score(_ shard: Int, _ node: Int) -> Double {
        ShardScore.score(
            self.shards[shard].record.number, key: self.nodes[node].key, capacity: self.nodes[node].capacity)
    }

    /// Who would carry least with this shard; of equals the one that the hash prefers.
    func lightest(_ shard: Int, of nodes: [Int]) -> Int? {
        let weight = self.shards[shard].weight
        return nodes.min { left, right in
            let (one, other) = (self.level(of: left, with: weight), self.level(of: right, with: weight))
            return one != other ? one < other : self.score(shard, left) > self.score(shard, right)
        }
    }

    /// What a node should carry at most: the band above the mean, or above its heaviest shard where that alone is
    /// more than the mean of the largest node; such a node does not give all its small shards away for little.
    func goal(of node: Int, band: Double) -> Double {
        let heaviest = self.shards.reduce(0) { $1.node == node ? max($0, $1.weight) : $0 }
        let largest = self.nodes.reduce(1) { max($0, $1.capacity) }
        return band * max(self.mean, heaviest / largest)
    }

    /// Of those above their goal the one that is farthest.
    func mostAbove(band: Double, except stuck: Set<Int>) -> Int? {
        let above = self.nodes.indices.filter { !stuck.contains($0) }.map { node in
            (node: node, by: self.level(of: node) / self.goal(of: node, band: band))
        }
        // A hair above is rounding.
        return above.filter { $0.by > 1 + 1e-9 }.max { $0.by < $1.by }?.node
    }

    mutating func move(_ shard: Int, to node: Int, because cause: ShardMove.Cause) {
        let record = self.shards[shard].record
        if let before = self.shards[shard].node { self.nodes[before].carried -= self.shards[shard].weight }
        self.nodes[node].carried += self.shards[shard].weight
        self.shards[shard].node = node
        self.shards[shard].isMovable = false
        self.moves.append(
            ShardMove(
                number: record.number, from: record.wanted, to: self.nodes[node].incarnation, cause: cause,
                pinAway: self.shards[shard].pin == nil ? record.pinned : nil))
    }
}
