import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Answers on the spot what can be, before the request reaches the tasks of its connection.
///
/// Only while the connection has nothing else in hand, so that answers keep the order of their requests, and only
/// requests without a body. Stands behind all other handlers: they see request and answer like any other.
final class ReadyHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let responder: any ReadyResponder
    /// The head of a request of which more is to come.
    private var head: HTTPRequest?
    /// Requests that went the long way and whose answer has not ended.
    private var unanswered = 0
    /// An answer of ours has not been taken by the system.
    private var isSending = false

    init(_ responder: any ReadyResponder) { self.responder = responder }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head) where head.method == .get && self.unanswered == 0 && !self.isSending:
            self.head = head
            return
        case .head: self.unanswered += 1
        case .body: self.letPass(context: context)
        case .end(let trailers):
            if let head = self.head, trailers == nil,
                let answer = self.responder.readyAnswer(to: head, on: context.channel)
            {
                self.head = nil
                return self.send(answer, context: context)
            }
            self.letPass(context: context)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) { self.unanswered -= 1 }
        context.write(data, promise: promise)
    }

    private func letPass(context: ChannelHandlerContext) {
        guard let head = self.head else { return }
        self.head = nil
        self.unanswered += 1
        context.fireChannelRead(self.wrapInboundOut(.head(head)))
    }

    private func send(_ answer: ReadyAnswer, context: ChannelHandlerContext) {
        self.isSending = true
        context.write(self.wrapOutboundOut(.head(answer.head)), promise: nil)
        if answer.body.readableBytes > 0 {
            context.write(self.wrapOutboundOut(.body(answer.body)), promise: nil)
        }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { result in
            self.isSending = false
            if case .success = result { answer.ended(true) } else { answer.ended(false) }
        }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: sent)
    }
}
