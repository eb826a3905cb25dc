import FileService
import HTTPDoor
import Hummingbird
import HummingbirdCore
import NIOCore

/// The bytes of an upload as they arrive; asks a waiting client for them when the first is wanted.
///
/// A request that is refused before never asks, so that the client keeps its bytes to itself.
struct UploadBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let body: RequestBody
    /// Nil for a body in chunks.
    let length: Int64?
    /// Where to send `100 Continue`; nil when the client does not wait for it.
    let waiting: (any Channel)?
    /// Runs once the body is whole; what it throws ends the upload.
    let atEnd: @Sendable () async throws -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: RequestBody.AsyncIterator
        let length: Int64?
        var received: Int64 = 0
        var waiting: (any Channel)?
        let atEnd: @Sendable () async throws -> Void

        @concurrent mutating func next() async throws -> ByteBuffer? {
            if let waiting = self.waiting {
                self.waiting = nil
                try await BodyInvitation.send(on: waiting)
            }
            let bytes: ByteBuffer?
            do {
                bytes = try await self.iterator.next()
            } catch {
                // Whether the client stopped early or went away: what is known is how much came.
                guard let length = self.length, self.received < length else { throw error }
                throw FileServiceError.bodyTooShort(expected: length, received: self.received)
            }
            self.received += Int64(bytes?.readableBytes ?? 0)
            if bytes == nil { try await self.atEnd() }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            iterator: self.body.makeAsyncIterator(), length: self.length, waiting: self.waiting,
            atEnd: self.atEnd)
    }
}
