import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// How uploads and segments are read from their rows.
enum UploadRow {
    /// Of a table called `u`.
    static let columns: PostgresStatement = """
        u.id, u.account_id, u.account_name, u.dialect, u.part, u.path, u.status, u.length, u.durable, u.epoch,
        u.incarnation, u.metadata, u.replaces, u.makes_parents, u.digest, u.reason, u.created_at, u.changed_at,
        u.expires_at, coalesce(u.parts, '{}'), u.part_of,
        coalesce(u.status = 'open' and u.worked_at > clock_timestamp() - interval '6 seconds', false), u.announced,
        u.expected_digest,
        case when u.changed_at > clock_timestamp() - interval '10 seconds' and u.changed_at > u.marked_at
             then (u.durable - u.mark) / extract(epoch from u.changed_at - u.marked_at)::float8 else 0 end
        """
    /// How many they are.
    private static let width = 25

    /// - Parameter column: where ``columns`` begin.
    static func upload(_ row: PostgresRow, from column: Int = 0) throws(StoreError) -> Upload {
        func value<Value: PostgresDecodable>(_ place: Int, as type: Value.Type) throws(StoreError) -> Value {
            try row.reading(column: column + place, as: type)
        }
        var upload = Upload(
            id: UploadID(try value(0, as: UUID.self)), account: AccountID(try value(1, as: UUID.self)),
            accountName: try AccountName(stored: value(2, as: String.self)),
            dialect: try Self.word(value(3, as: String.self)), part: try Self.word(value(4, as: String.self)),
            path: nil, status: try Self.word(value(6, as: String.self)),
            length: try value(7, as: Int64?.self),
            durable: try value(8, as: Int64.self), metadata: try value(11, as: String.self),
            replaces: try value(12, as: Bool.self), makesParents: try value(13, as: Bool.self),
            reason: try value(15, as: String?.self), createdAt: try value(16, as: Date.self),
            changedAt: try value(17, as: Date.self), expiresAt: try value(18, as: Date.self))
        if let path = try value(5, as: [UInt8]?.self) { upload.path = try HomePath(stored: path) }
        if let epoch = try value(9, as: Int64?.self) { upload.epoch = try Self.epoch(epoch) }
        if let incarnation = try value(10, as: Int64?.self) {
            upload.incarnation = try Incarnation(stored: incarnation)
        }
        if let digest = try value(14, as: [UInt8]?.self) {
            upload.digest = try Self.digest(digest)
        }
        upload.parts = try value(19, as: [UUID].self).map { UploadID($0) }
        upload.partOf = try value(20, as: UUID?.self).map { UploadID($0) }
        upload.isWorkedOn = try value(21, as: Bool.self)
        upload.announced = try value(22, as: Int64?.self)
        upload.expectedDigest = try value(23, as: [UInt8]?.self).map { (bytes) throws(StoreError) in
            try Self.digest(bytes)
        }
        upload.rate = try value(24, as: Double.self)
        return upload
    }

    /// Of a table called `s`.
    static let segmentColumns: PostgresStatement = """
        s.number, s.epoch, s.incarnation, s.node, s.file, s.begins, s.ends, s.client, s.begun_at
        """

    static func segment(_ row: PostgresRow) throws(StoreError) -> UploadSegment {
        let (number, epoch, incarnation, node, file, begins, ends, client, begunAt) = try row.reading(
            Int32.self, Int64.self, Int64.self, String.self, String.self, Int64.self, Int64.self, String.self,
            Date.self)
        return UploadSegment(
            number: Int(number), epoch: try Self.epoch(epoch),
            incarnation: try Incarnation(stored: incarnation),
            node: try NodeName(stored: node), file: file, begin: begins, end: ends, client: client,
            begunAt: begunAt)
    }

    /// The newest segment behind ``columns``; nil where there is none.
    static func newestSegment(_ row: PostgresRow) throws(StoreError) -> UploadSegment? {
        guard let number = try row.reading(column: Self.width, as: Int32?.self) else { return nil }
        func value<Value: PostgresDecodable>(_ place: Int, as type: Value.Type) throws(StoreError) -> Value {
            try row.reading(column: Self.width + place, as: type)
        }
        return UploadSegment(
            number: Int(number), epoch: try Self.epoch(value(1, as: Int64.self)),
            incarnation: try Incarnation(stored: value(2, as: Int64.self)),
            node: try NodeName(stored: value(3, as: String.self)), file: try value(4, as: String.self),
            begin: try value(5, as: Int64.self), end: try value(6, as: Int64.self),
            client: try value(7, as: String.self), begunAt: try value(8, as: Date.self))
    }

    private static func digest(_ bytes: [UInt8]) throws(StoreError) -> Digest {
        guard let digest = Digest(bytes) else { throw .corrupt("a digest of \(bytes.count) bytes") }
        return digest
    }

    private static func epoch(_ stored: Int64) throws(StoreError) -> Epoch {
        guard let epoch = Epoch(rawValue: stored) else { throw .corrupt("\(stored) is no epoch") }
        return epoch
    }

    private static func word<Word: RawRepresentable<String>>(_ stored: String) throws(StoreError) -> Word {
        guard let word = Word(rawValue: stored) else { throw .corrupt("an upload says “\(stored)”") }
        return word
    }
}
