package import ClusterModel

/// Decides what one node does about the shards that are, or should be, its own.
///
/// It only orders: the statement that takes a shard, and the one that proves the right in each write, decide (D3). So a
/// stale row or a late answer costs a refused statement, never a second owner.
///
/// Rows are read level-triggered, each second and after news; of two words about a shard the higher epoch is the newer.
/// That is why a release leaves the epoch in the row.
package struct ShardKeeper: Sendable, Equatable {
    enum State: Sendable, Equatable {
        /// Asked for. Goes to `owned`, or away.
        case taking
        /// Works. Goes to `ending` when somebody else should have it, or away when the right is lost.
        case owned(Epoch)
        /// What is in hand may end until then. Goes to `releasing`, or away; never back: a hand-off that began is
        /// carried through.
        case ending(Epoch, until: ClusterInstant)
        /// Nothing is in hand any more. Goes away.
        case releasing(Epoch)
    }

    /// Absent: nothing to do with it.
    var states: [ShardNumber: State] = [:]
    /// The last epoch that this node had and gave up or lost; what is older is no news.
    var past: [ShardNumber: Epoch] = [:]
    /// What a reading did not know of yet: the epoch is newer than the row's.
    ///
    /// The next reading began when this one had ended, and cannot be older than the taking: if it does not know either, a
    /// failover has taken the taking back.
    var doubted: [ShardNumber: Epoch] = [:]
    var isIsolated = false
    /// Sick or stopping: takes nothing, and gives up what it has.
    package internal(set) var isResigned = false
    private let me: Incarnation
    private let handOffWait: Duration

    package init(_ me: Incarnation, rules: ShardRules = .standard) {
        self.me = me
        self.handOffWait = rules.handOffWait
    }

    /// The shards whose work may go on, by number: owned, and nobody else should have them.
    package var acting: [ShardTitle] {
        self.states.compactMap { number, state in
            guard case .owned(let epoch) = state else { return nil }
            return ShardTitle(number: number, epoch: epoch)
        }.sorted { $0.number < $1.number }
    }

    /// Those that are handed over: what is in hand may end, and ``ended(_:)`` is waited for; by number.
    package var ending: [ShardTitle] {
        self.states.compactMap { number, state in
            guard case .ending(let epoch, _) = state else { return nil }
            return ShardTitle(number: number, epoch: epoch)
        }.sorted { $0.number < $1.number }
    }

    /// Whether a write by this title makes sense: it is owned, or what was in hand may end.
    package func holds(_ title: ShardTitle) -> Bool {
        switch self.states[title.number] {
        case .owned(let epoch), .ending(let epoch, _): epoch == title.epoch
        case .taking, .releasing, nil: false
        }
    }

    /// One reading at a time: the next one begins when this one has been told.
    ///
    /// - Parameters:
    ///   - records: all of them, or those in which this incarnation is wanted or owner and those it ``knows``.
    ///   - living: the incarnations that live as far as this node knows.
    package mutating func read(
        _ records: [ShardRecord], living: Set<Incarnation>, at now: ClusterInstant
    ) -> [ShardOrder] {
        guard !self.isIsolated else { return [] }
        let orders = records.flatMap { self.read($0, living: living, at: now) }
        self.doubted = self.doubted.filter { self.epoch(of: $0.key) == $0.value }
        return orders
    }

    /// Whether another reading should follow soon.
    package var isInDoubt: Bool { !self.doubted.isEmpty }

    /// Shards that it wants to read about whatever their rows say.
    package var knows: [ShardNumber] { self.states.keys.sorted() }

    private mutating func read(
        _ record: ShardRecord, living: Set<Incarnation>, at now: ClusterInstant
    ) -> [ShardOrder] {
        let number = record.number
        if let epoch = self.epoch(of: number) {
            // A row with an older epoch was read before this one was drawn; but not twice.
            guard let known = record.epoch, known >= epoch else {
                return self.doubt(ShardTitle(number: number, epoch: epoch))
            }
            self.doubted[number] = nil
            guard known == epoch, record.owner == self.me else {
                return self.lost(ShardTitle(number: number, epoch: epoch))
            }
            guard case .owned = self.states[number], record.wanted != self.me else { return [] }
            self.states[number] = .ending(epoch, until: now.advanced(by: self.handOffWait))
            return [.end(ShardTitle(number: number, epoch: epoch))]
        }
        // Of its own, and not in its books: what it asked for and heard nothing of, or what it dropped.
        if record.owner == self.me, let epoch = record.epoch {
            let isWanted = record.wanted == self.me && !self.isResigned
            return self.found(ShardTitle(number: number, epoch: epoch), isWanted: isWanted)
        }
        guard record.wanted == self.me, self.states[number] == nil, !self.isResigned else { return [] }
        if let owner = record.owner, living.contains(owner) { return [] }
        self.states[number] = .taking
        return [.take(number, after: record.epoch)]
    }

    private mutating func doubt(_ title: ShardTitle) -> [ShardOrder] {
        guard self.doubted.updateValue(title.epoch, forKey: title.number) == title.epoch else { return [] }
        return self.lost(title)
    }

    func epoch(of number: ShardNumber) -> Epoch? {
        switch self.states[number] {
        case .owned(let epoch), .ending(let epoch, _), .releasing(let epoch): epoch
        case .taking, nil: nil
        }
    }

    private mutating func found(_ title: ShardTitle, isWanted: Bool) -> [ShardOrder] {
        if let past = self.past[title.number], title.epoch <= past {
            // Dropped, or a row that was read before its release: asking again tells.
            guard self.states[title.number] == nil else { return [] }
            self.states[title.number] = isWanted ? .taking : .releasing(title.epoch)
            return isWanted ? [.take(title.number, after: title.epoch)] : [.release(title)]
        }
        self.states[title.number] = isWanted ? .owned(title.epoch) : .releasing(title.epoch)
        return [isWanted ? .begin(title) : .release(title)]
    }
}
