package import ClusterModel
package import NIOCore

package import struct Foundation.UUID

/// A file of which all bytes are there.
package struct WholeFile: Sendable {
    package var operation: UUID
    package var path: HomePath
    package var account: AccountName
    /// One after the other.
    package var pieces: [ByteBuffer]

    package init(operation: UUID, path: HomePath, account: AccountName, pieces: [ByteBuffer]) {
        self.operation = operation
        self.path = path
        self.account = account
        self.pieces = pieces
    }
}

/// What stands at a path, and above it; links are not followed.
package struct PathLook: Sendable, Hashable {
    package var found: FileStatus?
    /// Looked at where nothing stands at the path.
    package var parent: FileStatus?

    package init(found: FileStatus?, parent: FileStatus?) {
        self.found = found
        self.parent = parent
    }
}

package struct WholeStaging: Sendable, Hashable {
    package var look: PathLook
    /// Nil when the look was objected to: nothing was staged.
    package var sealed: SealedFile?

    package init(look: PathLook, sealed: SealedFile?) {
        self.look = look
        self.sealed = sealed
    }
}

package struct BegunStaging: Sendable {
    package var look: PathLook
    /// Nil when the look was objected to: nothing was staged.
    package var file: (any StagedFile)?

    package init(look: PathLook, file: (any StagedFile)?) {
        self.look = look
        self.file = file
    }
}
