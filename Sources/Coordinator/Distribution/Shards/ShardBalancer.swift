package import ClusterModel

/// Decides which shards the leader moves, and why: run at each round, and at once when somebody died or drains.
///
/// Keeps nothing between two rounds: what it needs is in the rows and the view, so a new leader goes on where
/// the old one was. docs/SHARDS.md says what it promises.
///
/// 1. *Forced moves*, all of them, without a wait: to the node that a shard is pinned to; away from the dead
///    and the draining; shards that nobody has. They go where rendezvous hashing says, of the nodes that have room.
/// 2. *Moves for balance*, a few a round: while somebody carries more than ``ShardRules/band`` of the mean, it gives
///    away the one shard that puts it right, or else its largest ones that fit somewhere.
///
/// Loads count by capacity. An overloaded node gets nothing; when all of them are, they count as if none was. Where
/// nobody is active, nothing moves. An order is void when the row has changed since it was read.
package struct ShardBalancer: Sendable, Equatable {
    private let rules: ShardRules

    package init(rules: ShardRules = .standard) { self.rules = rules }

    /// In the order in which they are to be written: forced ones first, each shard at most once.
    package func plan(_ records: [ShardRecord], view: ClusterView) -> [ShardMove] {
        var plan = ShardPlan(records, view: view, rules: self.rules)
        guard !plan.nodes.isEmpty else { return [] }
        self.force(&plan, view: view)
        self.balance(&plan)
        return plan.moves
    }

    /// Pins before everything else, since they leave no choice; then the heaviest first, since they fit least.
    private func force(_ plan: inout ShardPlan, view: ClusterView) {
        for index in plan.shards.indices {
            guard let pin = plan.shards[index].pin, plan.shards[index].node != pin else { continue }
            plan.move(index, to: pin, because: .pinned(plan.nodes[pin].name))
        }
        let homeless = plan.shards.indices.filter { plan.shards[$0].node == nil }.sorted {
            let (left, right) = (plan.shards[$0], plan.shards[$1])
            return left.weight != right.weight
                ? left.weight > right.weight : left.record.number < right.record.number
        }
        for index in homeless {
            let cause = Self.cause(plan.shards[index].record.wanted, in: view)
            plan.move(index, to: self.place(index, in: plan), because: cause)
        }
    }

    private static func cause(_ wanted: Incarnation?, in view: ClusterView) -> ShardMove.Cause {
        guard let wanted else { return .unassigned }
        let member = view.members.first { $0.incarnation == wanted }
        guard let member, member.status == .draining else {
            return .died(member?.name.description ?? "incarnation \(wanted)")
        }
        return .drains(member.name)
    }

    /// Its living owner if that has room, since nothing is to be handed over then; else whom the hash prefers of
    /// those with room; else whoever carries least with it.
    private func place(_ index: Int, in plan: ShardPlan) -> Int {
        let shard = plan.shards[index]
        let most = plan.mean * self.rules.ceiling
        let open = plan.nodes.indices.filter { plan.nodes[$0].isOpen }
        let roomy = open.filter { plan.level(of: $0, with: shard.weight) <= most }
        if let owner = roomy.first(where: { plan.nodes[$0].incarnation == shard.record.owner }) {
            return owner
        }
        let chosen =
            roomy.max { plan.score(index, $0) < plan.score(index, $1) } ?? plan.lightest(index, of: open)
        return chosen ?? 0
    }

    private func balance(_ plan: inout ShardPlan) {
        var stuck: Set<Int> = []
        for _ in 0..<self.rules.balanceMoves {
            while let giver = plan.mostAbove(band: self.rules.band, except: stuck) {
                guard let gift = self.gift(of: giver, in: plan) else {
                    stuck.insert(giver)
                    continue
                }
                let ratio = plan.level(of: giver) / plan.mean
                plan.move(gift.shard, to: gift.to, because: .carries(plan.nodes[giver].name, ratio: ratio))
                break
            }
        }
    }

    private struct Gift {
        var shard: Int
        var to: Int
        /// 0 if it puts the giver right, 1 if it fits and more must follow, 2 if it does not fit but helps.
        var rank: Int
        /// Of equal ranks the lowest wins.
        var cost: Double
    }

    /// What a node that carries too much gives to whom; nil when nothing that may move would help.
    private func gift(of giver: Int, in plan: ShardPlan) -> Gift? {
        let mean = plan.mean
        let level = plan.level(of: giver)
        let goal = plan.goal(of: giver, band: self.rules.band)
        let open = plan.nodes.indices.filter { $0 != giver && plan.nodes[$0].isOpen }
        var best: Gift?
        for index in plan.shards.indices
        where plan.shards[index].node == giver && plan.shards[index].isMovable {
            let weight = plan.shards[index].weight
            guard let to = plan.lightest(index, of: open) else { continue }
            let left = plan.level(of: giver, with: -weight)
            let reached = plan.level(of: to, with: weight)
            let gift: Gift
            if reached <= mean * self.rules.ceiling {
                gift =
                    left <= goal
                    ? Gift(shard: index, to: to, rank: 0, cost: (left - mean).magnitude)
                    : Gift(shard: index, to: to, rank: 1, cost: left)
            } else if max(left, reached) <= level - mean * self.rules.worthwhile {
                gift = Gift(shard: index, to: to, rank: 2, cost: max(left, reached))
            } else {
                continue
            }
            if let known = best, (known.rank, known.cost) <= (gift.rank, gift.cost) { continue }
            best = gift
        }
        return best
    }
}
