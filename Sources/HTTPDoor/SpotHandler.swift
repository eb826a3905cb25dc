import ClusterPorts
import HTTPTypes
import NIOCore

/// Answers on the spot what can be, before the parser and the tasks of a connection get to see the request.
///
/// Stands at the network. Only while the connection has nothing else in hand, so that answers keep the order of their
/// requests, and only what ``PlainRequest`` is sure about; everything else goes on as it came. The next request
/// after an answer whose client takes its time goes the long way too, so that no client can pile answers up.
final class SpotHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = IOData

    private let responder: any ReadyResponder
    private let progress: ConnectionProgress
    private var notes: ReadyNotes
    /// An answer of ours has not been taken by the system.
    private var isSending = false
    /// Of a region that waits for its client.
    private var check: RepeatedTask?
    /// Something went on since the last end of a reading.
    private var hasPassed = false
    /// The client sends no more; told when our answer is out, since nobody behind knows of it and all would be closed.
    private var holdsEnd = false

    init(_ responder: any ReadyResponder, _ progress: ConnectionProgress, peer: String) {
        self.responder = responder
        self.progress = progress
        self.notes = ReadyNotes(peer: peer)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        if !self.isSending, self.progress.isClear, let request = PlainRequest(bytes),
            let answer = self.responder.readyAnswer(to: request, &self.notes)
        {
            return self.send(answer, context: context)
        }
        self.hasPassed = true
        self.progress.feeding(bytes) { context.fireChannelRead(data) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard self.hasPassed else { return }
        self.hasPassed = false
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if self.isSending, case ChannelEvent.inputClosed = event {
            self.holdsEnd = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func send(_ answer: ReadyAnswer, context: ChannelHandlerContext) {
        var text = context.channel.allocator.buffer(capacity: 1_024)
        text.write(answer.head)
        let sent = context.eventLoop.makePromise(of: Void.self)
        self.isSending = true
        sent.futureResult.assumeIsolated().whenComplete { result in
            self.check?.cancel()
            self.check = nil
            self.isSending = false
            self.progress.answeredOnTheSpot()
            if case .success = result { answer.ended(true) } else { answer.ended(false) }
            guard self.holdsEnd else { return }
            self.holdsEnd = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        switch answer.body {
        case .bytes(var bytes):
            text.writeBuffer(&bytes)
            context.writeAndFlush(self.wrapOutboundOut(.byteBuffer(text)), promise: sent)
        case .region(let region):
            context.write(self.wrapOutboundOut(.byteBuffer(text)), promise: nil)
            context.writeAndFlush(self.wrapOutboundOut(.fileRegion(region)), promise: sent)
            if self.isSending { self.check = region.checked(on: context.channel) }
        }
    }
}

extension ByteBuffer {
    /// As HTTP/1.1 has it (RFC 9112, 4 and 5).
    fileprivate mutating func write(_ head: HTTPResponse) {
        self.writeStaticString("HTTP/1.1 ")
        self.writeString("\(head.status.code)")
        self.writeStaticString(" ")
        self.writeString(head.status.reasonPhrase)
        self.writeStaticString("\r\n")
        for field in head.headerFields {
            self.writeString(field.name.rawName)
            self.writeStaticString(": ")
            self.writeString(field.value)
            self.writeStaticString("\r\n")
        }
        self.writeStaticString("\r\n")
    }
}
