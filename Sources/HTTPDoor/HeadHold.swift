import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Keeps the head of an answer back until the first bytes of its body are there, so that they leave together.
///
/// Only where a body is announced by its length: events that come when they come go out at once.
final class HeadHold: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var holds = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(let head):
            self.holds =
                head.status.kind != .informational && (head.headerFields[.contentLength] ?? "0") != "0"
        case .body, .end: self.holds = false
        }
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        if !self.holds { context.flush() }
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        if event is RegionToSend { self.holds = false }
        context.triggerUserOutboundEvent(event, promise: promise)
    }
}
