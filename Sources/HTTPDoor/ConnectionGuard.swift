import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTPTypes

/// The client went away in the middle of a request's body.
package struct ClientWentAway: Error, CustomStringConvertible {
    package var description: String { "the client went away before the body was whole" }
}

/// Stands at the network's side of a connection: drains refused bodies as ``ConnectionCourse`` decides, turns
/// a body that is cut off into an error, and refuses what is above the limit of connections.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: ConnectionLimits
    private let gauge: ConnectionGauge
    private var course: ConnectionCourse
    let progress: ConnectionProgress
    /// For answers that would not notice by themselves that nobody reads them.
    let presence = ClientPresence()
    private var drainEnd: Scheduled<Void>?

    init(limits: ConnectionLimits, gauge: ConnectionGauge, progress: ConnectionProgress) {
        self.limits = limits
        self.gauge = gauge
        self.progress = progress
        self.course = ConnectionCourse(drainBytes: limits.drainBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.progress.isSurplus = !self.gauge.opened() }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.gauge.closed()
        self.drainEnd?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let action: ConnectionCourse.OnRead
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            action = self.course.headRead(asksToClose: Self.asksToClose(head.headerFields))
            if self.progress.isSurplus && action == .forward {
                return self.refuse(head.method, context: context)
            }
        case .body(let bytes): action = self.course.bodyRead(bytes: bytes.readableBytes)
        case .end: action = self.course.endRead()
        }
        switch action {
        case .forward where !self.progress.isSurplus: context.fireChannelRead(data)
        case .forward, .drop: break
        case .close: context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Nobody behind asks for more of what is dropped.
        if case .draining = self.course.state { context.read() }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(var head) where head.status.kind != .informational:
            if self.course.answerBegins(asksToClose: head.headerFields[.connection] == "close") {
                head.headerFields[.connection] = "close"
            }
            context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            let answered = self.course.answerEnded()
            if answered != .goOn { self.progress.isOver = true }
            written.futureResult.assumeIsolated().whenComplete { _ in
                self.answered(answered, context: context)
            }
            context.write(data, promise: written)
        case .head, .body:
            context.write(data, promise: promise)
        }
    }

    private static func asksToClose(_ headers: HTTPFields) -> Bool {
        let options = headers[.connection]?.lowercased().split { $0 == "," || $0 == " " || $0 == "\t" }
        return options?.contains("close") ?? false
    }

    private func answered(_ answered: ConnectionCourse.OnAnswered, context: ChannelHandlerContext) {
        switch answered {
        case .goOn: break
        case .close: context.close(promise: nil)
        case .drain:
            context.close(mode: .output, promise: nil)
            self.drainEnd = context.eventLoop.assumeIsolated().scheduleTask(in: self.limits.drainTime) {
                context.close(promise: nil)
            }
            context.read()
        }
    }

    private func refuse(_ method: HTTPRequest.Method, context: ChannelHandlerContext) {
        let problem = Problem(
            .serviceUnavailable, .tooBusy,
            "the node has \(self.limits.connections) connections, which is its limit"
        ).retrying(after: 1)
        var head = problem.response.head
        head.headerFields[.connection] = "close"
        self.write(context: context, data: self.wrapOutboundOut(.head(head)), promise: nil)
        if method != .head {
            self.write(
                context: context, data: self.wrapOutboundOut(.body(JSONText.buffer(problem.document))),
                promise: nil)
        }
        self.write(context: context, data: self.wrapOutboundOut(.end(nil)), promise: nil)
        context.flush()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The framework would close at once, also while an answer is still being taken.
        if event is ChannelShouldQuiesceEvent { return self.stop(context: context) }
        if case ChannelEvent.inputClosed = event { self.inputEnded(context: context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// The node stops: what is in hand is answered, what was answered may be taken, then the connection ends.
    private func stop(context: ChannelHandlerContext) {
        self.progress.isOver = true
        guard self.course.stops() == .close else { return }
        let told = context.eventLoop.makePromise(of: Void.self)
        told.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.close(mode: .output, promise: told)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.inputEnded(context: context)
        context.fireChannelInactive()
    }

    private func inputEnded(context: ChannelHandlerContext) {
        self.presence.left()
        if self.course.inputEnded() { context.fireErrorCaught(ClientWentAway()) }
    }
}
