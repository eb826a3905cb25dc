import ClusterModel
import ClusterPorts
import PostgresDriver

/// Pieces of SQL about shards, for the statements of this folder and for every write that an owner makes.
///
/// The order of locks is: the member; shards by number; the cluster's row.
///
/// Who takes or releases locks the row `for update`; who proves that it owns it, `for key share`: the one waits for
/// the other. Assignments and reports of load change no key and lock less, so no write of an owner waits for them.
enum ShardFragments {
    /// Rule R3 for standing work: `shard` has a row if the one who acts (``Fragments/me(_:)``) owns it by this title.
    ///
    /// Everything else in the statement asks `exists (select from shard)`. Whoever takes the shard waits until the
    /// statement has committed.
    static func owned(_ title: ShardTitle) -> PostgresStatement {
        """
        shard as materialized (
            select s.number from flotilla.shard s
            where s.number = \(title.number.rawValue) and s.epoch = \(title.epoch.rawValue)
              and s.incarnation = (select incarnation from me)
            for key share
        )
        """
    }

    /// Tells the nodes by their heartbeats that shards have changed, if `source` has rows; the cluster's row is locked
    /// last, after all rows of `source` (``Fragments/all(of:)``).
    static func bumped(ifAny source: String) -> PostgresStatement {
        """
        bumped as (
            update flotilla.cluster set shard_version = shard_version + 1
            where \(Fragments.all(of: source))
        )
        """
    }

    /// Titles as the table `a`.
    static func unnested(_ titles: [ShardTitle]) -> PostgresStatement {
        "unnest(\(titles.map(\.number.rawValue)), \(titles.map(\.epoch.rawValue))) as a (number, epoch)"
    }

    /// Of a table called `s`.
    static let columns: PostgresStatement = """
        s.number, s.wanted, s.term, s.reason,
        (extract(epoch from clock_timestamp() - s.moved_at) * 1000)::int8, s.incarnation, s.epoch, s.pinned, s.load
        """

    static func records(_ rows: PostgresRows) throws(StoreError) -> [ShardRecord] {
        var records: [ShardRecord] = []
        records.reserveCapacity(rows.count)
        for row in rows { records.append(try Self.record(row)) }
        return records
    }

    private static func record(_ row: PostgresRow) throws(StoreError) -> ShardRecord {
        let (number, wanted, term, reason, moved, owner, epoch, pinned, load) = try row.reading(
            Int16.self, Int64?.self, Int64.self, String.self, Int64.self, Int64?.self, Int64?.self,
            String?.self,
            Float.self)
        var record = ShardRecord(number: try ShardNumber(stored: number), term: term, reason: reason)
        if let wanted { record.wanted = try Incarnation(stored: wanted) }
        if let owner { record.owner = try Incarnation(stored: owner) }
        if let epoch { record.epoch = try Self.epoch(epoch) }
        if let pinned { record.pinned = try NodeName(stored: pinned) }
        record.movedFor = .milliseconds(moved)
        record.load = Double(load)
        return record
    }

    private static func epoch(_ stored: Int64) throws(StoreError) -> Epoch {
        guard let epoch = Epoch(rawValue: stored) else { throw .corrupt("\(stored) is no epoch") }
        return epoch
    }

    static func titles(_ rows: PostgresRows) throws(StoreError) -> [ShardTitle] {
        var titles: [ShardTitle] = []
        for row in rows {
            let (number, epoch) = try row.reading(Int16.self, Int64.self)
            titles.append(
                ShardTitle(number: try ShardNumber(stored: number), epoch: try Self.epoch(epoch)))
        }
        return titles
    }
}

extension ShardNumber {
    init(stored value: Int16) throws(StoreError) {
        guard let number = ShardNumber(Int(value)) else { throw .corrupt("\(value) is no number of a shard") }
        self = number
    }
}
