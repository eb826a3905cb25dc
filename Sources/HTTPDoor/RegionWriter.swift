package import ClusterPorts
import Glibc
package import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A part of a file that is to go into an answer's body without coming through this process.
struct RegionToSend: Sendable {
    let region: FileRegion
}

/// Hands pieces of files to a connection, behind the head of an answer that announced its length.
package enum FileSending {
    /// Returns when the system has taken the piece; a cancelled task closes the connection.
    package static func hand(_ piece: FilePiece, to channel: any Channel) async throws {
        try await withTaskCancellationHandler {
            switch piece {
            case .bytes(let bytes):
                try await channel.writeAndFlush(HTTPResponsePart.body(bytes)).get()
            case .region(let region):
                let promise = channel.eventLoop.makePromise(of: Void.self)
                channel.triggerUserOutboundEvent(RegionToSend(region: region), promise: promise)
                try await promise.futureResult.get()
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}

/// Writes regions of files past the codec of HTTP's types, which knows only bytes.
///
/// Stands right behind that codec.
final class RegionWriter: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var codec: ChannelHandlerContext?
    func handlerRemoved(context: ChannelHandlerContext) { self.codec = nil }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        guard let event = event as? RegionToSend else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        do {
            let codec =
                try self.codec
                ?? context.pipeline.syncOperations.context(handlerType: HTTP1ToHTTPServerCodec.self)
            self.codec = codec
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            let check = event.region.checked(on: context.channel)
            written.futureResult.assumeIsolated().whenComplete { _ in check.cancel() }
            codec.writeAndFlush(
                NIOAny(HTTPServerResponsePart.body(.fileRegion(event.region))), promise: written)
        } catch {
            promise?.fail(error)
        }
    }
}

extension FileRegion {
    private static let checkedEvery = TimeAmount.seconds(1)

    /// Closes the connection that it is sent on if the file becomes too short for it, until that is cancelled.
    ///
    /// Sending what a file no longer has would never end: whoever cuts one shorter meanwhile cuts its readers off.
    func checked(on channel: any Channel) -> RepeatedTask {
        channel.eventLoop.scheduleRepeatedTask(
            initialDelay: Self.checkedEvery, delay: Self.checkedEvery
        ) { _ in
            // Nobody reads at a descriptor's own place.
            let end = try self.fileHandle.withUnsafeFileDescriptor { lseek($0, 0, SEEK_END) }
            if Int(end) < self.endIndex { channel.close(promise: nil) }
        }
    }
}
