package import ClusterModel

/// Rows of resumable uploads and their segments (docs/UPLOADS.md).
///
/// Each call is one autocommit statement (R1); what acts for a node has rule R3 in it. Fails with ``StoreError``.
package protocol UploadStore: Sendable {
    /// Makes the row, open and empty. The same id again answers what is there.
    func create(_ upload: NewUpload, by right: NodeRight) async throws(StoreError) -> UploadAnswer

    /// Makes an upload, open and empty, whose bytes come from partial ones, and gives those to it.
    ///
    /// Only while all of them are the account's, partial, open, whole, and given to no other upload than an aborted one;
    /// its length is theirs together. Nil when they are not, or when the incarnation lives no more.
    func compose(_ upload: NewUpload, by right: NodeRight) async throws(StoreError) -> Upload?

    /// Says that this node works on the bytes of an upload, or does no longer. False: the title is not the newest.
    func work(_ title: UploadTitle, isOn: Bool, by right: NodeRight) async throws(StoreError) -> Bool

    /// Notes the length that a client foretells, unless one is known. Answers the one that is.
    func announce(_ upload: UploadID, length: Int64) async throws(StoreError) -> Int64?

    /// Ends the parts of an upload that was decided: their bytes are in its file. Answers whose files are nobody's now.
    func consumeParts(of upload: UploadID) async throws(StoreError) -> [UploadID]

    /// Gives the right to write, by a new epoch, to whoever asks last, and notes its segment.
    ///
    /// Only while the upload is open and durable to exactly `offset`. What the segments before hold is read afterwards,
    /// by ``upload(_:)``: no older epoch can note anything any more. After `mayHaveRun` that tells by the segment's file
    /// whether it was done.
    func take(_ taking: UploadTaking, by right: NodeRight) async throws(StoreError) -> UploadAnswer

    /// Ends the right of whoever writes, and gives it to nobody: what is durable stays so until the next taking.
    ///
    /// Only while it is open. Whoever is told how far an upload is can go on there, although another node still writes.
    func freeze(_ upload: UploadID, by right: NodeRight) async throws(StoreError) -> UploadAnswer

    /// Notes how far uploads are durable, and lengths that became known; answers in their order, 1,000 at most. What is noted never
    /// goes down; the same note again is the same.
    func note(_ notes: [UploadNote], by right: NodeRight) async throws(StoreError) -> [UploadNoteAnswer]

    /// An upload that nobody may write any more; its files are nobody's from now on. Needs no right: people order it.
    /// Nil when there is none; otherwise how it stands now.
    func abort(_ upload: UploadID, reason: String) async throws(StoreError) -> Upload?

    /// As it stands, with its segments by number; nil when there is none.
    func upload(_ id: UploadID) async throws(StoreError) -> (Upload, [UploadSegment])?

    /// One page, newest first, each with its newest segment.
    func uploads(_ query: UploadQuery) async throws(StoreError) -> [(Upload, UploadSegment?)]

    /// Ends a decided upload whose name's row is gone, as the transfer log says it ended. False: it is not so far.
    func settle(_ upload: UploadID) async throws(StoreError) -> Bool
}

/// Which staged files are somebody's although no name's row names them.
package protocol SegmentFiles: Sendable {
    /// The files of an incarnation that segments of open or decided uploads name, in the order of their names, after
    /// `file`. Of a dead incarnation none is ever added.
    func segmentFiles(
        of incarnation: Incarnation, after file: String?, limit: Int
    ) async throws(StoreError) -> [String]
}

/// What time does to uploads; each call is one statement and can be done again.
package protocol UploadUpkeep: Sendable {
    /// Aborts open uploads that have expired. Answers whose files are nobody's now, `limit` at most.
    func abortExpired(limit: Int, by right: NodeRight) async throws(StoreError) -> [UploadID]

    /// Ends decided uploads as the transfer log says, or, where it has forgotten them, after they have expired. Answers
    /// how many.
    func settleDecided(limit: Int, by right: NodeRight) async throws(StoreError) -> Int

    /// Uploads that have ended and expired, oldest first, with all files that they ever had.
    func expiredEnded(limit: Int) async throws(StoreError) -> [(upload: UploadID, files: [StagedName])]

    /// Removes the rows of ended and expired uploads. Answers how many.
    func forget(_ uploads: [UploadID], by right: NodeRight) async throws(StoreError) -> Int
}

/// Names that are decided for an upload by whoever may write it.
package protocol UploadNames: Sendable {
    /// Each reservation and decision of these names proves the member, and that the upload is open, whole, durable and
    /// this title's; a decision makes it decided, in the same statement. `fenced` says either of the two is lost.
    func names(finishing title: UploadTitle) -> any NameStore
}

package struct NewUpload: Hashable, Sendable {
    package var id: UploadID
    package var account: AccountID
    package var accountName: AccountName
    package var dialect: UploadDialect
    package var part: Upload.Part
    package var path: HomePath?
    package var length: Int64?
    package var announced: Int64?
    package var expectedDigest: Digest?
    /// What it is put together from; different ones.
    package var parts: [UploadID] = []
    package var metadata: String
    package var replaces: Bool
    package var makesParents: Bool
    /// For so long after the last note.
    package var kept: Duration

    package init(
        id: UploadID, account: AccountID, accountName: AccountName, dialect: UploadDialect,
        part: Upload.Part = .whole, path: HomePath?, length: Int64?, metadata: String = "",
        replaces: Bool = true,
        makesParents: Bool = false, kept: Duration
    ) {
        self.id = id
        self.account = account
        self.accountName = accountName
        self.dialect = dialect
        self.part = part
        self.path = path
        self.length = length
        self.metadata = metadata
        self.replaces = replaces
        self.makesParents = makesParents
        self.kept = kept
    }
}

/// A node's wish to go on with an upload in a file of its own.
package struct UploadTaking: Hashable, Sendable {
    package var upload: UploadID
    /// Where the client goes on.
    package var offset: Int64
    /// The new segment's file, made before.
    package var file: StagedName
    package var node: NodeName
    package var client: String

    package init(upload: UploadID, offset: Int64, file: StagedName, node: NodeName, client: String) {
        self.upload = upload
        self.offset = offset
        self.file = file
        self.node = node
        self.client = client
    }
}

package enum UploadAnswer: Hashable, Sendable {
    /// As it stands now.
    case done(Upload)
    /// Nothing was changed: it stands so.
    case refused(Upload)
    case notFound
    /// The incarnation lives no more.
    case fenced
}

package struct UploadNote: Hashable, Sendable {
    package var title: UploadTitle
    package var durable: Int64
    /// When the client has said it by now.
    package var length: Int64?

    package init(title: UploadTitle, durable: Int64, length: Int64? = nil) {
        self.title = title
        self.durable = durable
        self.length = length
    }
}

package enum UploadNoteAnswer: Hashable, Sendable {
    case noted
    /// Another epoch, not open any more, or dead: nothing of this title may be written again.
    case lost
}

package struct UploadQuery: Hashable, Sendable {
    package var account: AccountName?
    package var status: UploadStatus?
    /// Of the newest segment.
    package var node: NodeName?
    /// Begins behind this one.
    package var after: UploadID?
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}
