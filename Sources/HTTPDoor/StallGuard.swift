import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes nothing of an answer for too long.
///
/// Progress is counted by pieces: a piece that is written whole counts, part of one does not.
final class StallGuard: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    private var pending = 0
    private var lastProgress = NIODeadline.now()
    private var check: Scheduled<Void>?

    init(limit: TimeAmount) { self.limit = limit }

    func handlerAdded(context: ChannelHandlerContext) { self.watch(context: context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.check?.cancel() }

    private func watch(context: ChannelHandlerContext) {
        let pause = TimeAmount.nanoseconds(self.limit.nanoseconds / 4)
        self.check = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            if self.pending > 0 && NIODeadline.now() - self.lastProgress > self.limit {
                context.close(promise: nil)
            } else {
                self.watch(context: context)
            }
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        if self.pending == 0 { self.lastProgress = .now() }
        self.pending += 1
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.pending -= 1
            self.lastProgress = .now()
        }
        context.write(data, promise: written)
    }
}
