package import ClusterModel
package import NIOCore

package import struct Foundation.UUID

/// Whole folders: read in the order in which the file system names things, and copied into staging.
///
/// Nothing here holds a folder still. Links are never followed, and neither they nor pipes and the like are part of it.
package protocol FolderTrees: Sendable {
    /// Begins to read a folder with all that is in it.
    func walk(_ path: HomePath, in account: AccountName) async throws(VaultError) -> any FolderWalk

    /// Begins a copy of a folder: an empty one in staging, under a name that nobody else ever uses.
    func copyFolder(
        _ path: HomePath, in account: AccountName, for operation: UUID, of incarnation: Incarnation,
        bounds: TreeBounds
    ) async throws(VaultError) -> any FolderCopy

    /// A file without a name, for what does not fit into memory: gone as soon as it is closed, also by a death.
    func scratch(of incarnation: Incarnation) async throws(VaultError) -> any ScratchFile
}

/// How large a folder may be.
package struct TreeBounds: Sendable, Hashable {
    /// Folders within each other.
    package var depth: Int
    /// Files and folders in all.
    package var entries: Int

    package init(depth: Int, entries: Int) {
        self.depth = depth
        self.entries = entries
    }
}

/// A folder that is being read, by one task at a time.
///
/// Close it once.
package protocol FolderWalk: Sendable {
    /// What comes next, a folder before what is in it; nothing at the end. At most 64 entries, with 1 MiB of content.
    ///
    /// What goes away before it is reached is not in it. Fails where folders lie within each other deeper than
    /// ``FolderWalk/deepest``.
    func next() async throws(VaultError) -> [TreeEntry]
    func close() async
}

extension FolderWalk {
    /// Each level costs an open folder.
    package static var deepest: Int { 128 }
}

/// One thing in a folder that is being read.
package struct TreeEntry: Sendable {
    package enum Content: Sendable {
        case folder
        /// All of a small file, as it was at one moment.
        case small(ByteBuffer)
        /// A larger file, open.
        case file(any TreeFile)
        /// A link, a pipe or the like: left out.
        case leftOut
    }

    /// Below the folder, names joined by slashes.
    package var path: [UInt8]
    /// Of the last change of content, nanoseconds since 1970.
    package var modified: Int64
    package var content: Content

    package init(path: [UInt8], modified: Int64, content: Content) {
        self.path = path
        self.modified = modified
        self.content = content
    }
}

/// A file of a folder that is being read.
///
/// Close it once.
package protocol TreeFile: Sendable {
    /// In bytes, when it was opened.
    var size: Int64 { get }
    /// Up to `count` bytes from `offset`, 8 MiB at most; empty at the end of the file.
    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer
    /// Whether size and time of its content are still those it was opened with.
    func isUnchanged() async throws(VaultError) -> Bool
    func close() async
}

/// A folder that is being copied, by one task at a time.
///
/// Close it once; what is staged stays until it is published or discarded by its name.
package protocol FolderCopy: Sendable {
    var name: StagedName { get }
    /// Goes on for a moment, so that whoever calls can look whether to go on at all.
    ///
    /// Each file is copied as it was at one moment. When this answers `done`, all is durable.
    func step() async throws(VaultError) -> FolderCopyStep
    func close() async
}

package enum FolderCopyStep: Sendable {
    case more(FolderCopyCount)
    case done(StagedIdentity, FolderCopyCount)
    /// It has more than the bounds allow; says what.
    case tooLarge(String)
    /// A file changed again and again while it was copied: its path below the folder.
    case changing([UInt8])
}

/// What a copy has come to.
package struct FolderCopyCount: Sendable, Hashable {
    package var files = 0
    /// Below the folder itself.
    package var folders = 0
    /// Of files.
    package var bytes: Int64 = 0
    /// Links, pipes and the like that are not in the copy.
    package var leftOut = 0
    /// The first of those, ``named`` at most: paths below the folder.
    package var leftOutPaths: [[UInt8]] = []

    package static let named = 100

    package init() {}
}

/// Bytes that are kept for a while, by one task at a time; closed when nobody holds it.
package protocol ScratchFile: Sendable {
    func append(_ bytes: ByteBuffer) async throws(VaultError)
    /// Up to `count` bytes from `offset`, 8 MiB at most; empty at the end.
    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer
}
