package import struct Foundation.Date
package import struct Foundation.UUID

/// What names a resumable upload; the id of its operation and of its transfer too.
package struct UploadID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UUID

    package init(_ rawValue: UUID) { self.rawValue = rawValue }

    package var description: String { self.rawValue.uuidString.lowercased() }
}

/// What the newest taker of an upload presents when it writes: together with its live incarnation, the right to.
package struct UploadTitle: Hashable, Sendable {
    package var upload: UploadID
    package var epoch: Epoch

    package init(upload: UploadID, epoch: Epoch) {
        self.upload = upload
        self.epoch = epoch
    }
}

/// Who spoke first about an upload; whoever speaks later may use another dialect.
package enum UploadDialect: String, Hashable, Sendable, CaseIterable {
    /// Version 1.0.
    case tus
    /// The IETF draft about resumable uploads.
    case draft
}

/// Where an upload stands.
package enum UploadStatus: String, Hashable, Sendable, CaseIterable {
    /// Bytes may come.
    case open
    /// The row of its name is written; it becomes visible whatever happens.
    case decided
    /// It is visible, or could not become so; ``Upload/reason`` tells.
    case finished
    /// By its owner, an operator, or time. Its files go.
    case aborted
}

/// A resumable upload as it stands in the database (docs/UPLOADS.md).
package struct Upload: Hashable, Sendable {
    package enum Part: String, Hashable, Sendable {
        /// Becomes a file.
        case whole
        /// Becomes a part of one that is put together later; it has no path.
        case partial
    }

    package var id: UploadID
    package var account: AccountID
    package var accountName: AccountName
    package var dialect: UploadDialect
    package var part: Part
    /// Nil for a partial one.
    package var path: HomePath?
    package var status: UploadStatus
    /// In bytes; nil while the client has not said it.
    package var length: Int64?
    /// As the client foretold it, and then ``length`` when the client says that this is all; nil for tus.
    package var announced: Int64?
    /// Of the bytes, how many are durable: from the first one on, without a gap.
    package var durable: Int64
    /// Of the newest taking; nil when nobody has written yet.
    package var epoch: Epoch?
    /// Whoever took it, alive or dead.
    package var incarnation: Incarnation?
    /// What the client said about it, as it said it; at most 4 KiB.
    package var metadata: String
    /// False: whatever stands at the path stays, and the upload fails.
    package var replaces: Bool
    package var makesParents: Bool
    /// What it is put together from, in order; empty for one whose bytes its client sends.
    package var parts: [UploadID] = []
    /// The upload that a partial one was given to last.
    package var partOf: UploadID?
    /// Some node puts its bytes together, or reads them, and said so a few seconds ago at most.
    package var isWorkedOn = false
    /// What its SHA-256 has to be, where the client said so.
    package var expectedDigest: Digest?
    /// Durable bytes a second over the last few; 0 when nothing was noted for a while.
    package var rate: Double = 0
    package var digest: Digest?
    /// Why it failed or was aborted, for people.
    package var reason: String?
    package var createdAt: Date
    package var changedAt: Date
    /// From then on it is aborted, or forgotten when it has ended.
    package var expiresAt: Date

    package init(
        id: UploadID, account: AccountID, accountName: AccountName, dialect: UploadDialect,
        part: Part = .whole,
        path: HomePath?, status: UploadStatus = .open, length: Int64?, durable: Int64 = 0,
        epoch: Epoch? = nil,
        incarnation: Incarnation? = nil, metadata: String = "", replaces: Bool = true,
        makesParents: Bool = false,
        digest: Digest? = nil, reason: String? = nil, createdAt: Date, changedAt: Date, expiresAt: Date
    ) {
        self.id = id
        self.account = account
        self.accountName = accountName
        self.dialect = dialect
        self.part = part
        self.path = path
        self.status = status
        self.length = length
        self.durable = durable
        self.epoch = epoch
        self.incarnation = incarnation
        self.metadata = metadata
        self.replaces = replaces
        self.makesParents = makesParents
        self.digest = digest
        self.reason = reason
        self.createdAt = createdAt
        self.changedAt = changedAt
        self.expiresAt = expiresAt
    }

    /// Nothing more is to come.
    package var isWhole: Bool { self.length == self.durable }
    /// Its bytes come from partial uploads, and from nobody else.
    package var isComposed: Bool { !self.parts.isEmpty }
}

/// What one epoch wrote of an upload.
package struct UploadSegment: Hashable, Sendable {
    /// 0 for the first one.
    package var number: Int
    package var epoch: Epoch
    package var incarnation: Incarnation
    package var node: NodeName
    /// Its file below staging, in its incarnation's folder for segments.
    package var file: String
    /// Its first byte's place in the upload and in the file.
    package var begin: Int64
    /// Behind its last durable byte; what stands in the file beyond it is nobody's.
    package var end: Int64
    /// The client's address.
    package var client: String
    package var begunAt: Date

    package init(
        number: Int, epoch: Epoch, incarnation: Incarnation, node: NodeName, file: String, begin: Int64,
        end: Int64,
        client: String, begunAt: Date
    ) {
        self.number = number
        self.epoch = epoch
        self.incarnation = incarnation
        self.node = node
        self.file = file
        self.begin = begin
        self.end = end
        self.client = client
        self.begunAt = begunAt
    }
}
