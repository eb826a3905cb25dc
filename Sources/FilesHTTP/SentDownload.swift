import ClusterPorts
import FileService
import HTTPDoor
import HummingbirdCore
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle
import Synchronization

/// A download that is being sent; ends exactly once, also when nobody ever begins to send it.
final class SentDownload: Sendable {
    /// Small enough for many at a time, large enough that the mount is not asked for crumbs.
    static let piece = 256 << 10

    private let download: Download
    private let isEnded = Atomic(false)
    private let dropped: DroppedDownloads

    init(_ download: Download, dropped: DroppedDownloads) {
        self.download = download
        self.dropped = dropped
    }

    deinit {
        if !self.isEnded.load(ordering: .acquiring) { self.dropped.add(self.download) }
    }

    var status: FileStatus { self.download.status }

    func end(sent: Int64, failure: String?) async {
        guard !self.isEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
        await self.download.ended(sent: sent, failure: failure)
    }

    /// Sends the bytes as fast as the client takes them; a client that goes away, or a file that shrinks, ends
    /// it with an error, and the connection with it.
    ///
    /// A connection holds two pieces at most. The writer alone does not see to that: it learns that the client
    /// is slow only after many more were handed to it, which with a thousand slow clients is gigabytes.
    @concurrent func send(
        _ bytes: Range<Int64>, to writer: inout any ResponseBodyWriter, on channel: any Channel
    ) async throws {
        var sent: Int64 = 0
        do {
            var piece = try await self.piece(at: bytes.lowerBound, before: bytes.upperBound)
            while piece.readableBytes > 0 {
                let next = bytes.lowerBound + sent + Int64(piece.readableBytes)
                // The mount reads while the client takes.
                async let following = self.piece(at: next, before: bytes.upperBound)
                try await Self.hand(piece, to: channel)
                sent += Int64(piece.readableBytes)
                piece = try await following
            }
            try await writer.finish(nil)
        } catch {
            await self.end(sent: sent, failure: Self.reason(error))
            throw error
        }
        await self.end(sent: sent, failure: nil)
    }
}

extension SentDownload {
    /// The next bytes; none at the end.
    private func piece(at offset: Int64, before end: Int64) async throws -> ByteBuffer {
        guard offset < end else { return ByteBuffer() }
        let piece = try await self.download.read(
            from: offset, count: Int(min(end - offset, Int64(Self.piece))))
        guard piece.readableBytes > 0 else { throw FileShrank() }
        return piece
    }

    /// Returns when the system has taken the piece; behind the head, which was handed over before.
    private static func hand(_ piece: ByteBuffer, to channel: any Channel) async throws {
        try await withTaskCancellationHandler {
            try await channel.writeAndFlush(HTTPResponsePart.body(piece)).get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Why a download was cut off, for people who read the transfer log.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as FileServiceError: FileProblems.problem(error, while: .reading).detail
        case let error as FileShrank: error.description
        default: "the client went away: \(error)"
        }
    }
}

private struct FileShrank: Error, CustomStringConvertible {
    var description: String { "the file became shorter while it was sent" }
}

/// Ends downloads whose answer was never sent because the client had gone before.
final class DroppedDownloads: Service {
    private let stream: AsyncStream<Download>
    private let source: AsyncStream<Download>.Continuation

    init() {
        // One element for each connection at most, so the bound of connections is the bound here.
        (self.stream, self.source) = AsyncStream.makeStream()
    }

    func add(_ download: Download) { self.source.yield(download) }

    func run() async {
        await withGracefulShutdownHandler {
            for await download in self.stream {
                await download.ended(sent: 0, failure: "the client went away before the answer began")
            }
        } onGracefulShutdown: {
            self.source.finish()
        }
    }
}
