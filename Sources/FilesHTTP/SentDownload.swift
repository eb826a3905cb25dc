import ClusterPorts
import FileService
import HTTPDoor
import HummingbirdCore
package import NIOCore
import ServiceLifecycle
import Synchronization

/// A download that is being sent; ends exactly once, also when nobody ever begins to send it.
final class SentDownload: Sendable {
    /// Small enough for many at a time, large enough that the mount is not asked for crumbs.
    static let piece = 256 << 10
    /// A client that stops reading is noticed by what the system has taken, so this costs no patience.
    static let longestRegion = 4 << 20

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

    /// Sends the parts as fast as the client takes them; a client that goes away, or a file that shrinks, ends
    /// it with an error, and the connection with it.
    ///
    /// A connection holds two pieces at most. The writer alone does not see to that: it learns that the client
    /// is slow only after many more were handed to it, which with a thousand slow clients is gigabytes.
    @concurrent func send(
        _ parts: [SentPart], to writer: inout any ResponseBodyWriter, on channel: any Channel
    ) async throws {
        var sent: Int64 = 0
        do {
            for part in parts {
                if let text = part.text { try await FileSending.hand(.bytes(text), to: channel) }
                try await self.send(part.bytes, on: channel, counting: &sent)
            }
            try await writer.finish(nil)
        } catch {
            await self.end(sent: sent, failure: Self.reason(error))
            throw error
        }
        await self.end(sent: sent, failure: nil)
    }
}

/// What goes into an answer's body: some text, and bytes of the file behind it.
package struct SentPart: Sendable, Equatable {
    package var text: ByteBuffer?
    package var bytes: Range<Int64>

    package var count: Int { (self.text?.readableBytes ?? 0) + self.bytes.count }
}

extension SentDownload {
    private func send(_ bytes: Range<Int64>, on channel: any Channel, counting sent: inout Int64) async throws
    {
        guard !bytes.isEmpty else { return }
        var place = bytes.lowerBound
        var piece = try await self.piece(at: place, before: bytes.upperBound, count: Self.piece)
        while true {
            place += Int64(piece.count)
            guard place < bytes.upperBound else { break }
            // Regions are no memory: they grow, so that long files cost fewer turns.
            var count = Self.piece
            if case .region = piece { count = min(piece.count * 4, Self.longestRegion) }
            // The mount reads while the client takes.
            let (next, size) = (place, count)
            async let following = self.piece(at: next, before: bytes.upperBound, count: size)
            try await FileSending.hand(piece, to: channel)
            sent += Int64(piece.count)
            piece = try await following
        }
        try await FileSending.hand(piece, to: channel)
        sent += Int64(piece.count)
    }

    private func piece(at offset: Int64, before end: Int64, count: Int) async throws -> FilePiece {
        let piece = try await self.download.piece(from: offset, count: Int(min(end - offset, Int64(count))))
        guard piece.count > 0 else { throw FileShrank() }
        return piece
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
