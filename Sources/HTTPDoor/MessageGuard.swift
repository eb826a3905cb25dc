import NIOCore
import NIOHTTP1

/// Stands right behind the parser: notes where requests begin and end, and answers old clients in their own way.
///
/// Behind it a request has no version any more, so here a client of HTTP/1.0 is told: its answer has no chunks, and its
/// connection ends with the answer (RFC 9112, 6.1 and 9.3). So it does behind a request for another protocol: the
/// parser takes all that follows for that protocol, and reads nothing of it. Whatever follows such a request all the
/// same is dropped here: nobody answers it.
final class MessageGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let progress: ConnectionProgress
    /// A request that ends the connection was read; goes on with its body.
    private var isEnding = false
    /// All of that one was read, so that nothing more is passed on.
    private var isDeaf = false
    /// Answers that are to end before that of an old client's request begins; nil where there is none.
    private var answersBeforeOld: Int?

    init(_ progress: ConnectionProgress) { self.progress = progress }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isDeaf else { return }
        switch self.unwrapInboundIn(data) {
        case .head(var head):
            self.progress.headRead()
            let isOld = head.version != .http1_1
            guard isOld || head.method == .CONNECT || head.headers.contains(name: "Upgrade") else {
                break
            }
            if isOld { self.answersBeforeOld = self.progress.unanswered - 1 }
            self.isEnding = true
            self.progress.isOver = true
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            return context.fireChannelRead(self.wrapInboundOut(.head(head)))
        case .body(let bytes): self.progress.bodyRead(bytes: bytes.readableBytes)
        case .end:
            self.progress.endRead()
            self.isDeaf = self.isEnding
        }
        context.fireChannelRead(data)
    }

    /// What follows bytes that are no request is none either.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.progress.isOver = true
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(var head) where self.answersBeforeOld == 0:
            guard !head.status.isInformational else {
                promise?.succeed()
                return
            }
            head.version = .http1_0
            return context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            self.progress.answerEnded()
            if let before = self.answersBeforeOld { self.answersBeforeOld = before - 1 }
        case .head, .body: break
        }
        context.write(data, promise: promise)
    }
}

extension HTTPResponseStatus {
    fileprivate var isInformational: Bool { 100..<200 ~= self.code }
}

/// Lets what was written be taken before its end is told: where the client has closed its half, the end would take
/// all that still waits with it.
final class LastBytes: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard case .output = mode else { return context.close(mode: mode, promise: promise) }
        let taken = context.eventLoop.makePromise(of: Void.self)
        taken.futureResult.assumeIsolated().whenComplete { _ in
            context.close(mode: .output, promise: promise)
        }
        context.writeAndFlush(self.wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: taken)
    }
}
