import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.UUID

/// How a record of the transfer log is read from and written to its row.
enum TransferRow {
    static let columns: PostgresStatement = """
        id, kind, status, account, path, target, size, digest, node, protocol, client, started_at, incarnation,
        ended_at, reason
        """

    /// Whether rows with the ids of an insertion may be there.
    enum Expectation {
        /// Then the insertion is refused as a whole (`uniqueViolation`), if it has to be.
        case none
        /// One that is there is replaced unless it has ended. A tenth dearer.
        case some
    }

    /// What to expect: only transfers that ran for a while are listed before they end, ``FileLimits/listedAfter``.
    ///
    /// Others are there when the answer to an insertion was lost, or somebody else has finished the change.
    static func expectation(_ records: [TransferRecord]) -> Expectation {
        let areBrief = records.allSatisfy { record in
            record.endedAt.map { $0.timeIntervalSince(record.origin.startedAt) < Self.brief } ?? false
        }
        return areBrief ? .none : .some
    }

    /// In seconds; half of the time after which a transfer is listed while it runs.
    private static let brief = 0.5

    /// Inserts the records `r` that fit the condition, by id.
    ///
    /// Arrays are what costs most here beside the indexes, about 0.2 µs for each in each row. So what is the same in all
    /// records of a batch, as it is in most batches, goes as one value.
    static func insertion(
        of records: [TransferRecord], expecting: Expectation, where condition: PostgresStatement
    ) -> PostgresStatement {
        let spread = Spread(records)
        let replacing: PostgresStatement =
            switch expecting {
            case .none: ""
            case .some: Self.replacing
            }
        return """
            insert into flotilla.transfer as t (
                id, account, path, size, digest, client, started_at, ended_at, \(spread.columns))
            select id, account, path, size, digest, client, started_at, ended_at, \(spread.values)
            from unnest(
                \(records.map(\.id)), \(records.map(\.account.description)), \(records.map { Data($0.path.bytes) }),
                \(records.map(\.size)), \(records.map { $0.digest.map { Data($0.bytes) } }),
                \(records.map(\.origin.client)), \(records.map(\.origin.startedAt)), \(records.map(\.endedAt))
                \(spread.arrays)
            ) as r (id, account, path, size, digest, client, started_at, ended_at\(spread.names))
            where \(condition)
            order by r.id
            \(replacing)
            """
    }

    private static let replacing: PostgresStatement = """
        on conflict (id) do update
        set kind = excluded.kind, status = excluded.status, account = excluded.account, path = excluded.path,
            target = excluded.target, size = excluded.size, digest = excluded.digest, node = excluded.node,
            protocol = excluded.protocol, client = excluded.client, started_at = excluded.started_at,
            incarnation = excluded.incarnation, ended_at = excluded.ended_at, reason = excluded.reason
        where t.status = 'running'
        """

    /// The columns of an insertion that are mostly the same in all of its rows.
    private struct Spread {
        /// All of them, as the table names them.
        let columns: PostgresStatement = "kind, status, node, protocol, incarnation, target, reason"
        /// The same columns of each row: names of `arrays`, or values.
        private(set) var values: PostgresStatement = ""
        /// Those that differ, each with a comma before it.
        private(set) var arrays: PostgresStatement = ""
        private(set) var names: PostgresStatement = ""

        /// Two questions and no more: each answer is a statement of its own to the server, which keeps plans of all.
        init(_ records: [TransferRecord]) {
            if let first = records.first, records.allSatisfy({ Self.isAlike($0, first) }) {
                self.values.append(
                    """
                    \(first.kind.rawValue), \(first.status.rawValue), \(first.origin.node.description),
                    \(first.origin.`protocol`), \(first.incarnation.rawValue)
                    """)
            } else {
                self.values.append("kind, status, node, protocol, incarnation")
                self.arrays.append(
                    """
                    , \(records.map(\.kind.rawValue)), \(records.map(\.status.rawValue)),
                    \(records.map(\.origin.node.description)), \(records.map(\.origin.`protocol`)),
                    \(records.map(\.incarnation.rawValue))
                    """)
                self.names.append(", kind, status, node, protocol, incarnation")
            }
            if records.allSatisfy({ $0.target == nil && $0.reason == nil }) {
                self.values.append(", null::bytea, null::text")
            } else {
                self.values.append(", target, reason")
                self.arrays.append(
                    ", \(records.map { $0.target.map { Data($0.bytes) } }), \(records.map(\.reason))")
                self.names.append(", target, reason")
            }
        }

        private static func isAlike(_ one: TransferRecord, _ other: TransferRecord) -> Bool {
            one.kind == other.kind && one.status == other.status && one.incarnation == other.incarnation
                && one.origin.node == other.origin.node && one.origin.`protocol` == other.origin.`protocol`
        }
    }

    static func record(_ row: PostgresRow) throws(StoreError) -> TransferRecord {
        let (id, kind, status, account, path, target, size, digest) = (
            try row.reading(column: 0, as: UUID.self), try row.reading(column: 1, as: String.self),
            try row.reading(column: 2, as: String.self), try row.reading(column: 3, as: String.self),
            try row.reading(column: 4, as: [UInt8].self), try row.reading(column: 5, as: [UInt8]?.self),
            try row.reading(column: 6, as: Int64.self), try row.reading(column: 7, as: [UInt8]?.self)
        )
        return TransferRecord(
            id: id, kind: try TransferRecord.Kind(stored: kind),
            status: try TransferRecord.Status(stored: status),
            account: try AccountName(stored: account), path: try HomePath(stored: path),
            target: try target.map { (bytes) throws(StoreError) in try HomePath(stored: bytes) }, size: size,
            digest: try Digest?(stored: digest),
            origin: TransferOrigin(
                node: try NodeName(stored: row.reading(column: 8, as: String.self)),
                protocol: try row.reading(column: 9, as: String.self),
                client: try row.reading(column: 10, as: String.self),
                startedAt: try row.reading(column: 11, as: Date.self)),
            incarnation: try Incarnation(stored: row.reading(column: 12, as: Int64.self)),
            endedAt: try row.reading(column: 13, as: Date?.self),
            reason: try row.reading(column: 14, as: String?.self))
    }
}
