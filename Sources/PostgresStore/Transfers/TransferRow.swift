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

    /// Inserts the records `r` that fit the condition, by id; one that is there is replaced unless it has
    /// ended.
    static func upsert(_ records: [TransferRecord], where condition: PostgresStatement) -> PostgresStatement {
        """
        insert into flotilla.transfer as t (\(Self.columns))
        select \(Self.columns)
        from unnest(
            \(records.map(\.id)), \(records.map(\.kind.rawValue)), \(records.map(\.status.rawValue)),
            \(records.map(\.account.description)), \(records.map { Data($0.path.bytes) }),
            \(records.map { $0.target.map { Data($0.bytes) } }), \(records.map(\.size)),
            \(records.map { $0.digest.map { Data($0.bytes) } }), \(records.map(\.origin.node.description)),
            \(records.map(\.origin.`protocol`)), \(records.map(\.origin.client)), \(records.map(\.origin.startedAt)),
            \(records.map(\.incarnation.rawValue)), \(records.map(\.endedAt)), \(records.map(\.reason))
        ) as r (\(Self.columns))
        where \(condition)
        order by r.id
        on conflict (id) do update
        set kind = excluded.kind, status = excluded.status, account = excluded.account, path = excluded.path,
            target = excluded.target, size = excluded.size, digest = excluded.digest, node = excluded.node,
            protocol = excluded.protocol, client = excluded.client, started_at = excluded.started_at,
            incarnation = excluded.incarnation, ended_at = excluded.ended_at, reason = excluded.reason
        where t.status = 'running'
        """
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
