import ClusterModel

/// What the judge knows of shards.
struct ShardBook {
    struct Owner: Equatable {
        var incarnation: Int64
        var epoch: Int64
    }
    var owners: [Int: Owner] = [:]
    /// The epoch of the newest write.
    var written: [Int: Int64] = [:]
    /// Given out is given out.
    var highest: [Int: Int64] = [:]
}

extension Judge {
    func tookShard(_ number: Int, epoch: Int64, by incarnation: Int64) {
        if let owner = self.shards.owners[number], owner.incarnation != incarnation,
            !self.isDead(owner.incarnation)
        {
            self.broken(
                .d3, "\(incarnation) took shard \(number) from \(owner.incarnation), which lives and owns it")
        }
        if let highest = self.shards.highest[number], epoch <= highest {
            self.broken(.d3, "shard \(number) was taken with epoch \(epoch) after \(highest)")
        }
        if self.isDead(incarnation) {
            self.broken(.l4, "\(incarnation) took shard \(number) after its death")
        }
        if self.shards.owners[number] != nil { self.stage.coverage.count(.shardTakenFromDead) }
        self.shards.owners[number] = ShardBook.Owner(incarnation: incarnation, epoch: epoch)
        self.shards.highest[number] = epoch
        self.stage.coverage.count(.shardTaken)
        self.stage.story.tell(.tookShard(number, epoch: epoch & 0xFF_FFFF, by: incarnation))
    }

    func releasedShard(_ number: Int, epoch: Int64, by incarnation: Int64) {
        if self.shards.owners[number] != ShardBook.Owner(incarnation: incarnation, epoch: epoch) {
            self.broken(.d3, "\(incarnation) released shard \(number), which it does not own")
        }
        self.shards.owners[number] = nil
        self.stage.coverage.count(.shardReleased)
    }

    func wroteShard(_ number: Int, epoch: Int64, by incarnation: Int64) {
        if let newest = self.shards.written[number], epoch < newest {
            self.broken(.d3, "shard \(number) was written with epoch \(epoch) after \(newest)")
        }
        if self.shards.owners[number] != ShardBook.Owner(incarnation: incarnation, epoch: epoch) {
            self.broken(
                .d3, "\(incarnation) wrote for shard \(number) by epoch \(epoch), and does not own it")
        }
        if self.isDead(incarnation) {
            self.broken(.l4, "\(incarnation) wrote for shard \(number) after its death")
        }
        self.shards.written[number] = epoch
        self.stage.coverage.count(.shardWritten)
    }
}
