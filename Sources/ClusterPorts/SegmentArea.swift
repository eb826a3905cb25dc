package import ClusterModel
package import NIOCore

/// Where the segments of resumable uploads are written (docs/UPLOADS.md): files in staging whose bytes stand at their
/// place in the upload.
package protocol SegmentArea: Sendable {
    /// A fresh file, `O_CREAT | O_EXCL`, under a name that nobody else ever uses.
    func makeSegment(_ upload: UploadID, for incarnation: Incarnation) async throws(VaultError)
        -> any SegmentFile

    /// The file of a segment that this very incarnation made; nobody else's is ever opened to be written.
    func openSegment(_ name: StagedName) async throws(VaultError) -> any SegmentFile
}

/// A segment's file, owned by one request at a time.
///
/// It stays where it is when nobody holds it any more. After a failed write or sync nothing may be done with it but
/// ``close()``: what the kernel kept nobody knows.
package protocol SegmentFile: Sendable {
    var name: StagedName { get }
    /// Writes all of it there, one after the other, and does what goes along with it on the same thread.
    ///
    /// Returns when what was written before is there: this may still be on its way, and fail the next call.
    func write(
        _ pieces: [ByteBuffer], at offset: Int64, along: @escaping @Sendable () -> Void
    ) async throws(VaultError)
    /// Returns when all that was written is there; makes nothing durable.
    func rest() async throws(VaultError)
    /// Up to `count` bytes, 8 MiB at most; empty at the end of the file.
    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer
    /// Copies bytes of another staged file, so that the first one stands at `place` here; fails when it has fewer.
    func copy(_ range: Range<Int64>, from other: StagedName, to place: Int64) async throws(VaultError)
    /// What was written before is durable afterwards, its name too.
    func sync() async throws(VaultError)
    /// Makes a whole file of it: bytes beyond `size` go, all is durable, close checked.
    func seal(size: Int64) async throws(VaultError) -> StagedIdentity
    func close()
}

extension SegmentFile {
    package func write(_ bytes: ByteBuffer, at offset: Int64) async throws(VaultError) {
        try await self.write([bytes], at: offset) {}
    }
}
