import ClusterModel
import Coordinator

/// The rows of shards with the guards that docs/SHARDS.md asks for; a twin lacks one of them.
struct ShardTable {
    enum Twin { case none, takesFromTheLiving }

    struct Row {
        var record: ShardRecord
        var movedAt: Int64 = 0
    }

    var rows: [Row] = ShardNumber.all.map { Row(record: ShardRecord(number: $0)) }
    var living: Set<Incarnation> = []
    var term: Int64 = 0
    var twin = Twin.none
    private var lastEpoch: Int64 = 0
    /// Grants while another incarnation that lived owned the shard, and grants whose epoch was not higher (D3).
    private(set) var brokenGrants = 0
    private(set) var takings = 0
    private(set) var refusedTakings = 0
    private(set) var refusedAssignments = 0

    func records(at now: Int64) -> [ShardRecord] {
        self.rows.map { row in
            var record = row.record
            record.movedFor = .milliseconds(now - row.movedAt)
            return record
        }
    }

    /// Answers what was written: only by the leader of this term, to the living, where nothing changed since.
    mutating func assign(_ moves: [ShardMove], term: Int64, at now: Int64) -> [ShardMove] {
        let written = moves.filter { move in
            term == self.term && self.living.contains(move.to)
                && self.rows[Int(move.number.rawValue)].record.wanted == move.from
        }
        self.refusedAssignments += moves.count - written.count
        for move in written {
            let index = Int(move.number.rawValue)
            self.rows[index].movedAt = now
            self.rows[index].record.wanted = move.to
            self.rows[index].record.term = term
            self.rows[index].record.reason = move.reason
        }
        return written
    }

    mutating func take(_ number: ShardNumber, after known: Epoch?, by me: Incarnation) -> Epoch? {
        let index = Int(number.rawValue)
        let before = self.rows[index].record
        let isOthers = before.owner.map { $0 != me && self.living.contains($0) } ?? false
        let mayTake =
            before.wanted == me && (!isOthers || self.twin == .takesFromTheLiving)
            && before.epoch == known
        guard self.living.contains(me), mayTake else {
            self.refusedTakings += 1
            return nil
        }
        self.lastEpoch += 1
        guard let epoch = Epoch(rawValue: self.lastEpoch) else { return nil }
        if isOthers || (before.epoch.map { $0 >= epoch } ?? false) { self.brokenGrants += 1 }
        self.takings += 1
        self.rows[index].record.owner = me
        self.rows[index].record.epoch = epoch
        return epoch
    }

    mutating func release(_ title: ShardTitle, by me: Incarnation) -> Bool {
        guard self.proves(title, by: me) else { return false }
        self.rows[Int(title.number.rawValue)].record.owner = nil
        return true
    }

    func proves(_ title: ShardTitle, by me: Incarnation) -> Bool {
        let record = self.rows[Int(title.number.rawValue)].record
        return self.living.contains(me) && record.owner == me && record.epoch == title.epoch
    }

    mutating func report(_ load: Double, of title: ShardTitle, by me: Incarnation) {
        guard self.proves(title, by: me) else { return }
        self.rows[Int(title.number.rawValue)].record.load = load
    }
}
