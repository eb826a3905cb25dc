import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client does not get the head of a request together in time.
///
/// The bound on silence does not see to that: a client that sends one byte now and then is never silent, and a
/// thousand of them would keep everybody else out.
final class HeadGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let first: TimeAmount
    private let next: TimeAmount
    private var unanswered = 0
    /// When the head that is waited for has to be whole; nil while a request is in hand.
    private var due: NIODeadline?
    private var check: Scheduled<Void>?

    /// - Parameters:
    ///   - first: counts from the opening of the connection.
    ///   - next: counts from the answer before.
    init(first: TimeAmount, next: TimeAmount) {
        self.first = first
        self.next = next
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.due = .now() + self.first
        self.watch(context: context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.check?.cancel() }

    /// Looks now and then; a timer for each request would cost more than it is worth.
    private func watch(context: ChannelHandlerContext) {
        let pause = TimeAmount.nanoseconds(min(self.first, self.next).nanoseconds / 4)
        self.check = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            if let due = self.due, due < .now() {
                context.close(promise: nil)
            } else {
                self.watch(context: context)
            }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = self.unwrapInboundIn(data) {
            self.unanswered += 1
            self.due = nil
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) {
            self.unanswered -= 1
            if self.unanswered == 0 { self.due = .now() + self.next }
        }
        context.write(data, promise: promise)
    }
}
