import ClusterModel

/// An operator wants a shard on a node, or wherever it is best.
final class PinShardStatement: Statement {
    let shard: Int
    let node: NodeName?

    init(_ shard: Int, to node: NodeName?) {
        self.shard = shard
        self.node = node
    }

    override var title: String { "pin a shard" }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            guard self.lock(.shard(self.shard), .noKeyUpdate, in: database) else { return .wait }
            guard database.tables.shards[self.shard].pinned != self.node else { return .committed }
            self.stage = 1
            return .more
        case 1:
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 2
            return .more
        default:
            database.tables.shards[self.shard].pinned = self.node
            database.tables.cluster.shardVersion += 1
            database.synced()
            return .committed
        }
    }
}

/// An operator moves a shard once: `move`.
///
/// The leader's next word about it is void if it was planned before this.
final class MoveShardStatement: Statement {
    let shard: Int
    let target: Int64
    /// The target is active, and the shard is pinned nowhere else.
    private(set) var isAllowed = false
    private var seen: (slot: Int16, name: NodeName?)?

    init(_ shard: Int, to target: Incarnation) {
        self.shard = shard
        self.target = target.rawValue
    }

    override var title: String { "move a shard" }

    private func active(_ database: Database) -> Int? {
        database.tables.members.firstIndex { $0.incarnation == self.target && $0.status == .active }
    }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            guard let place = self.active(database) else { return .committed }
            self.seen = (Int16(place + 1), database.tables.members[place].profile.name)
            return self.go()
        case 1:
            guard let seen = self.seen, self.lock(.member(seen.slot), .keyShare, in: database) else {
                return .wait
            }
            // The row as it is now.
            return self.active(database) == nil ? .committed : self.go()
        case 2: return self.isPinnedElsewhere(database) ? .committed : self.go()
        case 3:
            guard self.lock(.shard(self.shard), .noKeyUpdate, in: database) else { return .wait }
            guard !self.isPinnedElsewhere(database) else { return .committed }
            self.isAllowed = true
            return database.tables.shards[self.shard].wanted == self.target ? .committed : self.go()
        case 4: return self.lock(.cluster, .noKeyUpdate, in: database) ? self.go() : .wait
        default:
            database.tables.shards[self.shard].wanted = self.target
            database.tables.shards[self.shard].movedAt = database.clock
            database.tables.shardChanges += 1
            database.tables.cluster.shardVersion += 1
            database.judge?.stage.coverage.count(.shardMovedByOrder)
            database.judge?.stage.story.tell(.assigned(shard: self.shard, to: self.target))
            database.synced()
            return .committed
        }
    }

    private func go() -> Advance {
        self.stage += 1
        return .more
    }

    private func isPinnedElsewhere(_ database: Database) -> Bool {
        guard let pinned = database.tables.shards[self.shard].pinned else { return false }
        return pinned != self.seen?.name
    }
}
