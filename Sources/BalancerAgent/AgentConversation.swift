import NIOCore

/// One balancer's question: it gets the line as soon as it is there, whatever it sends, and is closed.
final class AgentConversation: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A balancer that does not take its line is cut.
    private static let patience = TimeAmount.seconds(2)

    private let door: AgentDoor
    private var end: Scheduled<Void>?

    init(door: AgentDoor) { self.door = door }

    func channelActive(context: ChannelHandlerContext) {
        guard self.door.opened() else { return context.close(promise: nil) }
        let line = ByteBuffer(string: self.door.line())
        self.end = context.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
            context.close(promise: nil)
        }
        // What was sent to us is read below: a close with bytes unread could take the line back.
        context.writeAndFlush(self.wrapOutboundOut(line)).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func channelInactive(context: ChannelHandlerContext) {
        self.end?.cancel()
        self.door.closed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
