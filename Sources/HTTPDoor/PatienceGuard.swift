import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client keeps it waiting too long: with a head, with more of a body, or with taking
/// the answer.
///
/// Looks now and then; a timer for each request would cost more than it is worth. A head has a time within which it
/// is whole: a client that sends one byte now and then is never silent, and a thousand of them would keep everybody
/// else out. An answer counts as running until the system has taken its last byte, and progress is what the client takes
/// of the system: that asks for more only when a good part of its buffer is free, which with a slow client may be minutes.
final class PatienceGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limits: ConnectionLimits
    private let progress: ConnectionProgress
    /// More is asked for, so silence is the client's.
    private var isReading = false
    /// Bytes that wait for the system, and those that wait in it; and when one of the two was last another.
    private var left = Waiting()
    private var leftChanged = NIODeadline.now()
    private var check: Scheduled<Void>?

    init(limits: ConnectionLimits, progress: ConnectionProgress) {
        self.limits = limits
        self.progress = progress
    }

    func handlerAdded(context: ChannelHandlerContext) { self.watch(context: context) }
    func handlerRemoved(context: ChannelHandlerContext) { self.check?.cancel() }

    func read(context: ChannelHandlerContext) {
        if !self.isReading {
            self.isReading = true
            self.progress.heard = .now()
        }
        context.read()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        context.fireChannelReadComplete()
    }

    private func watch(context: ChannelHandlerContext) {
        let shortest = min(self.limits.head, self.limits.idle, self.limits.stalled)
        let pause = TimeAmount.nanoseconds(shortest.nanoseconds / 4)
        self.check = context.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            if self.isOver(context: context) {
                context.close(promise: nil)
            } else {
                self.watch(context: context)
            }
        }
    }

    private func isOver(context: ChannelHandlerContext) -> Bool {
        let now = NIODeadline.now()
        let left = Waiting(context.channel)
        if left != self.left { self.leftChanged = now }
        self.left = left
        guard left.here == 0 else {
            self.progress.answered = now
            return now - self.leftChanged > self.limits.stalled
        }
        if self.progress.unanswered == 0 {
            return now - self.progress.answered
                > (self.progress.hasAnswered ? self.limits.idle : self.limits.head)
        }
        return self.progress.isBodyOpen && self.isReading && now - self.progress.heard > self.limits.idle
    }
}

/// What of a connection's answers waits, in bytes.
private struct Waiting: Equatable {
    var here = 0
    /// In the system, with what it needs itself.
    var there: UInt32 = 0

    init() {}

    init(_ channel: any Channel) {
        self.here = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard self.here > 0, let socket = channel as? any SocketOptionProvider else { return }
        let asked: EventLoopFuture<SocketMemory> = socket.unsafeGetSocketOption(
            level: .socket, name: SocketMemory.option)
        var queued: UInt32 = 0
        asked.assumeIsolated().whenSuccess { queued = $0.queued }
        self.there = queued
    }
}

/// As the kernel counts it (`SO_MEMINFO`, linux/sock_diag.h).
private struct SocketMemory: Sendable {
    /// Allocated and allowed for receiving and sending, and allocated ahead.
    var before: (UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0)
    /// Not acknowledged by the other end.
    var queued: UInt32 = 0
    var after: (UInt32, UInt32, UInt32) = (0, 0, 0)

    static let option = NIOBSDSocket.Option(rawValue: 55)
}
