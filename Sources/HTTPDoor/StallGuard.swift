import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes nothing of an answer for too long.
///
/// Progress is what the system takes, also of a piece that is not through yet.
final class StallGuard: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    private var pending = 0
    private var lastProgress = NIODeadline.now()
    /// Bytes that wait for the system.
    private var left = 0
    private var check: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) { self.watch(context: context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.check?.cancel() }

    private func watch(context: ChannelHandlerContext) {
        let pause = TimeAmount.nanoseconds(self.limit.nanoseconds / 4)
        self.check = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            // Looked at four times within the limit: less is left than before, so something went.
            if let left = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes),
                left != self.left
            {
                self.left = left
                self.lastProgress = .now()
            }
            if self.pending > 0 && NIODeadline.now() - self.lastProgress > self.limit {
                context.close(promise: nil)
            } else {
                self.watch(context: context)
            }
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: self.counted(promise, context: context))
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        let isPiece = event is RegionToSend
        context.triggerUserOutboundEvent(
            event, promise: isPiece ? self.counted(promise, context: context) : promise)
    }

    private func counted(
        _ promise: EventLoopPromise<Void>?, context: ChannelHandlerContext
    ) -> EventLoopPromise<Void> {
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        if self.pending == 0 { self.lastProgress = .now() }
        self.pending += 1
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.pending -= 1
            self.lastProgress = .now()
        }
        return written
    }
}
