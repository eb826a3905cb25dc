import CLinux
import ClusterModel
import ClusterPorts
import Crypto
import Glibc
import NIOCore

/// How far a file in staging is written; every call blocks.
///
/// Belongs to one call at a time.
struct StagedWriting: Sendable {
    let name: StagedName
    private let file: Descriptor
    private let folder: Descriptor
    private var isNamed: Bool
    private var digest = SHA256()
    /// Written to the file.
    private(set) var written: Int64 = 0
    /// The kernel was asked to write out what lies before.
    private var pushed: Int64 = 0
    /// Of an earlier call; nothing may be written behind it.
    var failure: VaultError?

    /// Early enough that the sync at the end has little left to do.
    private static let pushEvery: Int64 = 8 * 1_024 * 1_024
    /// Less is written out by the sync in the time that asking would take.
    private static let pushAtEnd: Int64 = 256 * 1_024

    /// - Parameter isNamed: False for a file that gets its name in the folder when it is whole.
    init(file: Descriptor, name: StagedName, in folder: Descriptor, isNamed: Bool) {
        self.file = file
        self.name = name
        self.folder = folder
        self.isNamed = isNamed
    }

    mutating func write(_ pieces: [ByteBuffer]) throws(VaultError) {
        try self.add(pieces, pushingFrom: Self.pushEvery)
    }

    /// The last bytes; from here on only ``seal()`` or ``abandon()``.
    mutating func writeLast(_ pieces: [ByteBuffer]) throws(VaultError) {
        try self.add(pieces, pushingFrom: Self.pushAtEnd)
    }

    /// Writes, then hashes: what the kernel was asked to write out reaches the disk meanwhile.
    ///
    /// - Parameter least: It is asked when so many bytes wait.
    private mutating func add(_ pieces: [ByteBuffer], pushingFrom least: Int64) throws(VaultError) {
        do throws(SystemFailure) {
            for piece in pieces {
                try unsafe piece.withUnsafeReadableBytes { (raw) throws(SystemFailure) in
                    try unsafe self.file.write(raw, at: self.written)
                }
                self.written += Int64(piece.readableBytes)
            }
        } catch {
            throw error.about("staging \(self.name)")
        }
        if self.written - self.pushed >= least {
            // Only asked for; an error shows in the sync.
            _ = flotilla_start_writing_out(self.file.raw, self.pushed, self.written - self.pushed)
            self.pushed = self.written
        }
        for piece in pieces {
            unsafe piece.withUnsafeReadableBytes { raw in unsafe self.digest.update(bufferPointer: raw) }
        }
    }

    mutating func seal() throws(VaultError) -> SealedFile {
        if !self.isNamed {
            do throws(SystemFailure) { try self.folder.link(self.file, as: self.name) } catch {
                throw error.about("staging \(self.name)")
            }
            // Before the sync: that the file has a name is among what is synced.
            self.isNamed = true
        }
        let status = try naming("staging \(self.name)") { () throws(SystemFailure) in
            if try mode_t(self.file.status().mode) & 0o7777 != Layout.fileMode {
                try self.file.setMode(Layout.fileMode)  // The umask took some.
            }
            try self.file.sync()
            try self.file.checkClose()
            return FileStatus(try self.file.status())
        }
        guard status.size == self.written else {
            throw .failed(
                "staging \(self.name) has \(status.size) bytes after \(self.written) were written")
        }
        guard let digest = Digest(Array(self.digest.finalize())) else {
            throw .failed("staging \(self.name): SHA-256 has no 32 bytes")
        }
        // Not by whoever lets go of it last, who may be a connection's thread.
        self.file.close()
        return SealedFile(staged: StagedIdentity(name: self.name, identity: status.identity), digest: digest)
    }

    /// Also when its name may be there and that is not known.
    func abandon() {
        try? self.folder.unlink(Array(self.name.file.utf8))
        // Frees what a large one had, which takes its time.
        self.file.close()
    }
}
