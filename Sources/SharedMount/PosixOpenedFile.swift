import ClusterPorts
import NIOCore
import Synchronization

/// A file of a home that is being read.
///
/// Closed by ``close()``, or when it is forgotten.
final class PosixOpenedFile: OpenedFile {
    let status: FileStatus
    private let shown: String
    private let file: Mutex<Descriptor?>
    private let calls: BlockingCalls

    /// The most that one call reads, in bytes.
    static let longestRead = 8 * 1_024 * 1_024

    init(shown: String, status: FileStatus, file: Descriptor, calls: BlockingCalls) {
        self.shown = shown
        self.status = status
        self.file = Mutex(file)
        self.calls = calls
    }

    deinit { self.closeLater() }

    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer {
        guard let file = self.file.withLock({ $0 }) else {
            throw .failed("\(self.shown) was closed before the read")
        }
        guard offset >= 0, count >= 0 else {
            throw .failed("\(self.shown): no offset \(offset), count \(count)")
        }
        let count = min(count, Self.longestRead)
        let shown = self.shown
        return try await self.calls.run { () throws(VaultError) in
            try naming(shown) { () throws(SystemFailure) in
                var buffer = ByteBufferAllocator().buffer(capacity: count)
                try unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
                    (raw) throws(SystemFailure) in
                    try unsafe file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: raw.prefix(count)), at: offset)
                }
                return buffer
            }
        }
    }

    func close() async { self.closeLater() }

    /// On a thread, since a close may talk to a server.
    ///
    /// A read that is running keeps the file open till its end.
    private func closeLater() {
        guard
            let file = self.file.withLock({ file in
                let old = file
                file = nil
                return old
            })
        else { return }
        self.calls.runLater { withExtendedLifetime(file) {} }
    }
}
