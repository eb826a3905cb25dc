package import ClusterModel
package import NIOCore

package import struct Foundation.UUID

/// The mount as Flotilla uses it: whose it is, staging, homes, and the few renames that make things visible.
///
/// Every call may block its caller's task and never a thread of the concurrency pool; each fails with
/// ``VaultError``. Nothing here rests on locks of the file system or on times of other machines.
package protocol FileVault: MountGuard, StagingArea, HomeFolders, FolderTrees, NamePublisher, HomeTally {
    /// Looks at the path and, unless the look is objected to, stages all of a small file and makes it durable: one call
    /// for what ``StagingArea/stage(_:for:)``, ``StagedFile/append(_:)`` and ``StagedFile/seal()`` do.
    ///
    /// When it fails, what it staged is removed, or goes when this node has departed.
    func stageWhole(
        _ whole: WholeFile, for incarnation: Incarnation,
        unless objected: @escaping @Sendable (PathLook) -> Bool
    ) async throws(VaultError) -> WholeStaging
    /// Looks at the path and, unless the look is objected to, begins a staged file: one call for both.
    func begin(
        _ operation: UUID, for incarnation: Incarnation, at path: HomePath, in account: AccountName,
        unless objected: @escaping @Sendable (PathLook) -> Bool
    ) async throws(VaultError) -> BegunStaging
}

/// Whose the mount is.
package protocol MountGuard: Sendable {
    /// The contents of `.flotilla/cluster`; nil when the mount was never used.
    func identity() async throws(VaultError) -> MountIdentity?

    /// Makes `.flotilla/cluster` by linking a synced temporary file, unless one is there; answers the one that is
    /// there afterwards. The loser of a race gets the winner's.
    func establish(_ proposed: MountIdentity) async throws(VaultError) -> MountIdentity

    /// Checks that the mount is there, is this one and can be written. Runs on a thread of its own: I/O on a dead
    /// mount cannot be interrupted, so after the deadline it fails with `hanging` while the thread stays behind;
    /// there is never more than one such thread.
    func probe(expecting identity: MountIdentity, within deadline: Duration) async throws(VaultError)

    /// The highest incarnation that ever joined on this mount.
    func highestIncarnation() async throws(VaultError) -> Incarnation?

    /// Notes an incarnation for good and makes its staging folder. False: the number was used before.
    func note(_ incarnation: Incarnation) async throws(VaultError) -> Bool
}

package struct MountIdentity: Sendable, Hashable {
    package var cluster: ClusterID
    package var nonce: MountNonce

    package init(cluster: ClusterID, nonce: MountNonce) {
        self.cluster = cluster
        self.nonce = nonce
    }
}

/// 16 random bytes that tell this mount from every other, also from a copy made for another cluster.
package struct MountNonce: Sendable, Hashable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Answers nil unless there are 16 bytes.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    package var description: String { self.bytes.hex }
}

/// Where bytes wait until they are whole; users never see it.
package protocol StagingArea: Sendable {
    /// A fresh file, `O_CREAT | O_EXCL`, under a name that nobody else ever uses.
    func stage(_ operation: UUID, for incarnation: Incarnation) async throws(VaultError) -> any StagedFile
    /// A fresh, empty, synced folder.
    func stageFolder(_ operation: UUID, for incarnation: Incarnation) async throws(VaultError)
        -> StagedIdentity

    /// Removes something staged, a folder with all that is in it too. Says nothing when it is not there.
    func discard(_ staged: StagedName) async throws(VaultError)

    /// The incarnations that have a staging folder.
    func stagingIncarnations() async throws(VaultError) -> [Incarnation]
    /// What an incarnation's staging folder holds, 10,000 names at most.
    func staged(of incarnation: Incarnation) async throws(VaultError) -> [StagedName]
    /// Removes the emptied folder; says nothing when it is gone, false when something is (again) in it.
    func removeStaging(of incarnation: Incarnation) async throws(VaultError) -> Bool
    /// Removes for good what is in the trash, bounded by `limit` entries a call; answers how many went. Something in
    /// the trash that is not what was decided to be removed is put back under its name if that is free.
    func emptyTrash(limit: Int) async throws(VaultError) -> Int
}

/// A file in staging, owned by one task.
///
/// Dropped without ``seal()`` it is to be discarded.
package protocol StagedFile: Sendable {
    var name: StagedName { get }
    /// Writes after what was written before, and goes on with the digest. Answers the bytes of all so far.
    ///
    /// Returns when what was appended before is written: these may still be on their way, and fail the next call.
    func append(_ pieces: [ByteBuffer]) async throws(VaultError) -> Int64
    /// Whether what was appended last is still on its way.
    var isWriting: Bool { get }
    /// Writes the last pieces and makes all durable: data synced, close checked. Nothing can be written afterwards.
    func seal(_ pieces: [ByteBuffer]) async throws(VaultError) -> SealedFile
    /// Closes and removes it; never fails.
    func discard() async
}

extension StagedFile {
    package func append(_ bytes: ByteBuffer) async throws(VaultError) -> Int64 {
        try await self.append([bytes])
    }

    package func seal() async throws(VaultError) -> SealedFile { try await self.seal([]) }
}

package struct SealedFile: Sendable, Hashable {
    package var staged: StagedIdentity
    package var digest: Digest

    package init(staged: StagedIdentity, digest: Digest) {
        self.staged = staged
        self.digest = digest
    }

    package var size: Int64 { self.staged.identity.size }
}

/// Accounts' folders, read.
package protocol HomeFolders: Sendable {
    /// Makes the home, synced. Fails with `exists` when a folder is there and `adopting` is false.
    func makeHome(of account: AccountName, adopting: Bool) async throws(VaultError)
    func hasHome(of account: AccountName) async throws(VaultError) -> Bool

    /// What stands at the path, links not followed; nil when nothing does. A missing parent is `nil` too.
    func status(of path: HomePath, in account: AccountName) async throws(VaultError) -> FileStatus?
    /// Opens a regular file; what is read is that file whatever happens to its name.
    func open(_ path: HomePath, in account: AccountName) async throws(VaultError) -> any OpenedFile
    /// The same if all that it takes is in memory, and the mount is a disk of this machine; else nil. Never blocks.
    func openReady(_ path: HomePath, in account: AccountName) -> (any OpenedFile)?
    /// Entries in the order of their names' bytes, after `name`, at most `limit`.
    ///
    /// - Parameter walk: the listing, of several pages, that this page belongs to; nil for a page that stands alone.
    ///   What was in the folder from the walk's first page to its last is in one of its pages, once, whichever
    ///   nodes answer; what came or went meanwhile may be in one.
    func list(
        _ path: HomePath, in account: AccountName, after name: [UInt8]?, limit: Int, walk: ListingWalk?
    ) async throws(VaultError) -> [FolderEntry]
}

extension HomeFolders {
    /// A page that stands alone.
    package func list(
        _ path: HomePath, in account: AccountName, after name: [UInt8]?, limit: Int
    ) async throws(VaultError) -> [FolderEntry] {
        try await self.list(path, in: account, after: name, limit: limit, walk: nil)
    }
}

/// A number that one listing keeps from its first page to its last.
///
/// A node may answer later pages from what it saw for earlier ones of the same walk, never of another.
package struct ListingWalk: Sendable, Hashable {
    package let number: UInt64

    package init(number: UInt64) { self.number = number }

    package static func next() -> ListingWalk { ListingWalk(number: .random(in: .min ... .max)) }
}

package struct FileStatus: Sendable, Hashable {
    package enum Kind: String, Sendable, Codable {
        case file, folder, link, other
    }
    package var kind: Kind
    package var identity: FileIdentity
    /// Of the last change of the inode, nanoseconds since 1970.
    package var changed: Int64
    /// Of the last change of content (or entries), nanoseconds since 1970, for folders too.
    package var modified: Int64

    package init(kind: Kind, identity: FileIdentity, changed: Int64, modified: Int64) {
        self.kind = kind
        self.identity = identity
        self.changed = changed
        self.modified = modified
    }

    /// In bytes; 0 for folders.
    package var size: Int64 { self.identity.size }

    /// A strong entity tag, equal on all nodes: from inode, size, modification and change time; with quotes.
    package var entityTag: String {
        var text = [UInt8(ascii: "\"")]
        // Four words of 13 digits at most.
        text.reserveCapacity(58)
        for word in [
            self.identity.inode, UInt64(self.size), UInt64(bitPattern: self.modified),
            UInt64(bitPattern: self.changed),
        ] {
            if text.count > 1 { text.append(UInt8(ascii: "-")) }
            Self.append(word, to: &text)
        }
        text.append(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self)
    }

    /// To the base of 36, with small letters.
    private static func append(_ word: UInt64, to text: inout [UInt8]) {
        let start = text.count
        var rest = word
        repeat {
            let digit = UInt8(rest % 36)
            text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
            rest /= 36
        } while rest > 0
        text[start...].reverse()
    }
}

package struct FolderEntry: Sendable, Hashable {
    package var name: [UInt8]
    package var status: FileStatus

    package init(name: [UInt8], status: FileStatus) {
        self.name = name
        self.status = status
    }
}

/// An open file to read from.
///
/// Close it once.
package protocol OpenedFile: Sendable {
    /// Taken after the file was opened.
    var status: FileStatus { get }
    /// Up to `count` bytes from `offset`; empty at the end of the file.
    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer
    /// The same for a socket: where the kernel can send them from its cache, they need not come through here.
    ///
    /// Regions stay good until ``close()``.
    func piece(from offset: Int64, count: Int) async throws(VaultError) -> FilePiece
    /// The same if it is in memory now; else nil. Never blocks.
    func readyPiece(from offset: Int64, count: Int) -> FilePiece?
    func close() async
    /// The same, later.
    func closeSoon()
}

extension HomeFolders {
    package func openReady(_ path: HomePath, in account: AccountName) -> (any OpenedFile)? { nil }
}

extension OpenedFile {
    package func readyPiece(from offset: Int64, count: Int) -> FilePiece? { nil }
}

/// A part of a file on its way to a socket.
package enum FilePiece: Sendable {
    case bytes(ByteBuffer)
    /// In the page cache when it was made; sending it asks no other machine.
    case region(FileRegion)

    /// In bytes.
    package var count: Int {
        switch self {
        case .bytes(let bytes): bytes.readableBytes
        case .region(let region): region.readableBytes
        }
    }
}

/// The renames by which a decision becomes visible.
///
/// Each can be done by any node and again.
package protocol NamePublisher: Sendable {
    /// Renames the staged thing to its path and syncs the folder; makes missing parents, synced too.
    func show(
        _ staged: StagedIdentity, as path: HomePath, in account: AccountName, replacing: Bool
    ) async throws(VaultError) -> Shown

    /// Moves what stands at `from` if it has the identity, and only where nothing stands; syncs both folders.
    func move(
        _ from: HomePath, to target: HomePath, in account: AccountName, identity: FileIdentity
    ) async throws(VaultError) -> MoveOutcome

    /// Moves what stands at the path to the trash if it has the identity; syncs the folder.
    func remove(
        _ path: HomePath, in account: AccountName, identity: FileIdentity, operation: UUID
    ) async throws(VaultError) -> MoveOutcome

    /// Makes the folder and its missing parents, durable; existing ones are fine.
    func makeFolders(_ path: HomePath, in account: AccountName) async throws(VaultError)
}

extension NamePublisher {
    /// The same, for who does not want to know how it looks.
    package func publish(
        _ staged: StagedIdentity, as path: HomePath, in account: AccountName, replacing: Bool
    ) async throws(VaultError) -> PublishOutcome {
        try await self.show(staged, as: path, in: account, replacing: replacing).outcome
    }
}

/// What became of a publication.
package struct Shown: Sendable, Hashable {
    package var outcome: PublishOutcome
    /// Of what is published, as a download shows it; nil where somebody else has replaced it since.
    package var status: FileStatus?

    package init(_ outcome: PublishOutcome, status: FileStatus? = nil) {
        self.outcome = outcome
        self.status = status
    }
}

package enum PublishOutcome: Sendable, Hashable {
    /// The path shows the staged thing, by this call or an earlier one.
    case published
    /// The staged name is gone and the path shows something else: renamed earlier and replaced since, or lost in a
    /// power cut before anybody was told.
    case superseded
    /// Something stands at the path that must not or cannot be replaced. The staged thing is still there.
    case blocked(by: FileStatus.Kind)
}

package enum MoveOutcome: Sendable, Hashable {
    case moved
    /// The thing with the identity does not stand there any more (moved earlier, or replaced from outside).
    case notThere
    /// Something stands at the target.
    case blocked
}

/// What the mount answered, said by what the caller may do.
package enum VaultError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nothing stands at this path, or a folder above it is missing.
    case notFound(String)
    case exists(String)
    case notAFile(String)
    case notAFolder(String)
    /// A symbolic link, or a path that leads out of the home.
    case forbidden(String)
    case nameTooLong(String)
    /// No space, or the quota of the file system is used up.
    case full(String)
    case readOnly(String)
    /// The mount is not there, or it is not this cluster's.
    case foreign(String)
    /// No answer within the deadline.
    case hanging(String)
    /// Any other failure of a system call: its name and errno's text.
    case failed(String)

    package var description: String {
        switch self {
        case .notFound(let what): "nothing stands at \(what)"
        case .exists(let what): "\(what) is there already"
        case .notAFile(let what): "\(what) is not a file"
        case .notAFolder(let what): "\(what) is not a folder"
        case .forbidden(let what): "\(what) is a link or leads out of its home"
        case .nameTooLong(let what): "\(what) is too long for the file system"
        case .full(let what): "no space is left for \(what)"
        case .readOnly(let what): "\(what) is on a file system that is mounted read-only"
        case .foreign(let what): what
        case .hanging(let what): "the mount did not answer: \(what)"
        case .failed(let what): what
        }
    }
}
