package import ClusterModel

/// What a client asks for when it begins a resumable upload.
package struct UploadRequest: Sendable, Hashable {
    /// Nil for one that only becomes a part of others.
    package var path: HomePath?
    package var dialect: UploadDialect
    /// In bytes, and with so many it is whole; nil while the client does not know it.
    package var length: Int64?
    /// In bytes, where the client foretells it and will say itself when all is there.
    package var announced: Int64?
    package var expectedDigest: Digest?
    /// Partial uploads that it is put together from, in order; empty for one whose bytes the client sends.
    package var parts: [UploadID] = []
    /// As the client said it; 4 KiB at most.
    package var metadata = ""
    package var replaces = true
    package var makesParents = false

    package init(path: HomePath?, dialect: UploadDialect, length: Int64?) {
        self.path = path
        self.dialect = dialect
        self.length = length
    }
}

/// How one request goes on with an upload.
package struct UploadPiece: Sendable, Hashable {
    /// Where its first byte belongs.
    package var offset: Int64
    /// The length of the whole upload, where the client says it (again).
    package var length: Int64?
    /// Nothing of it counts unless the body ends without an error: for bodies with a checksum.
    package var isAtomic = false
    /// Whether its end is the upload's end; nil where the length alone decides that.
    package var completes: Bool?

    package init(offset: Int64) { self.offset = offset }
}

/// How an upload stands after a request.
package struct UploadProgress: Sendable, Hashable {
    package var upload: Upload
    /// Of the request that made it whole and visible.
    package var receipt: PutReceipt?

    package init(upload: Upload, receipt: PutReceipt? = nil) {
        self.upload = upload
        self.receipt = receipt
    }
}

/// Why a request about an upload failed, by what its client may do next.
package enum UploadError: Error, Sendable, Equatable {
    /// There is no such upload of this account, or it was forgotten.
    case notFound
    /// Aborted, or it failed when it was whole; the reason is for people.
    case ended(reason: String)
    /// The client's offset is another than what is durable. Nothing was changed.
    case wrongOffset(durable: Int64)
    /// Another length was said before, or one below what is durable.
    case wrongLength(Int64?)
    /// More bytes came than the upload has; what came before them counts.
    case tooLong(length: Int64)
    /// A newer request has it. Asking again how far it is is right.
    case taken
    /// A node puts its bytes together, or reads them; it is visible soon, if nothing happens.
    case working
    /// Its bytes come from other uploads: its client can add none.
    case composed
    /// One of the uploads that another was to be put together from does not fit.
    case unfit(UploadID, PartFault)
    case file(FileServiceError)
}

/// Why an upload cannot be a part of another.
package enum PartFault: Sendable, Equatable {
    case unknown
    /// It was not begun as a partial one.
    case notPartial
    case unfinished(durable: Int64, length: Int64?)
    case ended(reason: String)
    /// It was given to another one, which lives.
    case given(UploadID)
}

/// The bounds of resumable uploads.
package struct UploadLimits: Sendable, Hashable {
    /// Uploads that a node remembers between requests.
    package var remembered = 10_000
    /// A durable offset is noted after so many bytes.
    package var notedBytes: Int64 = 8 * 1_024 * 1_024
    /// Or after so long, whichever comes first (looked at every third of it).
    package var notedAfter: Duration = .milliseconds(750)
    /// How long a request has to end when a newer one has come.
    package var turnPatience: Duration = .seconds(2)
    /// Bytes that are gathered before they are written.
    package var gatheredBytes = 256 * 1_024
    /// Notes in one statement.
    package var noteBatch = 500
    /// How often a note is sent that the database did not answer.
    package var noteAttempts = 3
    /// Uploads that one can be put together from.
    package static let parts = 500
    /// How much is copied between two looks at whether to go on.
    package var copiedBytes: Int64 = 64 * 1_024 * 1_024
    /// How long whoever has an upload put together waits for it; it goes on afterwards.
    package var composingPatience: Duration = .seconds(20)
    /// After so long of copying or reading a node begins to say that it does, and says it again as often; a third of
    /// what is believed of it.
    package var workSaidAfter: Duration = .seconds(1)
    package var workSaidEach: Duration = .seconds(2)
    /// Kept for so long after the last note.
    package var kept: Duration = .seconds(24 * 3_600)

    package init() {}
}
