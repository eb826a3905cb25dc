import ClusterModel
import Crypto
import NIOCore

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

    /// The same on the concurrency pool, beside whatever the caller does.
    func adding(_ bytes: ByteBuffer, at offset: Int64) async -> UploadDigest {
        var next = self
        next.add(bytes, at: offset)
        return next
    }

    /// Nil only if SHA-256 has no 32 bytes.
    var value: ClusterModel.Digest? { ClusterModel.Digest(Array(self.digest.finalize())) }
}
