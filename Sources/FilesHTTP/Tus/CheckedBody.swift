import FileService
import NIOCore
import Synchronization

/// A body that fails at its end when it is not what its checksum says.
struct CheckedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let body: UploadBody
    /// Nil: nothing is checked.
    let checksum: TusChecksum?
    let outcome: ChecksumOutcome

    struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: UploadBody.AsyncIterator
        var running: RunningChecksum?
        let checksum: TusChecksum?
        let outcome: ChecksumOutcome

        @concurrent mutating func next() async throws -> ByteBuffer? {
            if let bytes = try await self.iterator.next() {
                self.running?.add(bytes)
                return bytes
            }
            if let running = self.running, let checksum = self.checksum, running.value != checksum.value {
                self.outcome.differs()
                throw FileServiceError.clientGone("the body does not have the checksum that was announced")
            }
            return nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            iterator: self.body.makeAsyncIterator(),
            running: self.checksum.map { RunningChecksum($0.algorithm) }, checksum: self.checksum,
            outcome: self.outcome)
    }
}

/// Tells whoever answers that a body ended because of its checksum.
final class ChecksumOutcome: Sendable {
    private let found = Mutex(false)

    var isDifferent: Bool { self.found.withLock { $0 } }
    func differs() { self.found.withLock { $0 = true } }
}
