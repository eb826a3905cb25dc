import ClusterModel
import Crypto
import NIOCore
import Synchronization

/// The one of an upload that is being written: goes on in the mount's calls, which take turns.
final class WrittenDigest: Sendable {
    private let digest: Mutex<UploadDigest>

    init(_ digest: UploadDigest) { self.digest = Mutex(digest) }

    var now: UploadDigest { self.digest.withLock { $0 } }

    func add(_ pieces: [ByteBuffer], at offset: Int64) {
        self.digest.withLock { digest in
            var place = offset
            for piece in pieces {
                digest.add(piece, at: place)
                place += Int64(piece.readableBytes)
            }
        }
    }
}

/// The SHA-256 of an upload as far as it was computed, from the first byte on.
struct UploadDigest: Sendable {
    private var digest = SHA256()
    private(set) var end: Int64 = 0

    /// Goes on if the bytes stand right behind; otherwise they are for later.
    mutating func add(_ bytes: ByteBuffer, at offset: Int64) {
        guard offset == self.end else { return }
        bytes.withUnsafeReadableBytes { raw in self.digest.update(bufferPointer: raw) }
        self.end += Int64(bytes.readableBytes)
    }

    /// The same, where the caller is.
    func adding(_ bytes: ByteBuffer, at offset: Int64) async -> UploadDigest {
        var next = self
        next.add(bytes, at: offset)
        return next
    }

    /// Nil only if SHA-256 has no 32 bytes.
    var value: ClusterModel.Digest? { ClusterModel.Digest(Array(self.digest.finalize())) }
}
