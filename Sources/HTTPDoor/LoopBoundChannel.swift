import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypesHTTP1

/// Serves each connection on the thread that reads its socket.
///
/// A request that is answered from memory changes threads not once, and one that asks the mount or the database only
/// there. So what runs between two `await`s has to be short, here as in any handler: what computes for long, or
/// blocks, has threads of its own (the mount's calls, scrypt).
struct LoopBoundChannel: ServerChildChannel {
    private let inside: HTTP1Channel
    private let ready: (any ReadyResponder)?

    /// - Parameter ready: Answers on the spot what it can.
    init(_ inside: HTTP1Channel, ready: (any ReadyResponder)?) {
        self.inside = inside
        self.ready = ready
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        let made = self.inside.setup(channel: channel, logger: logger)
        // With every answer in the log, every request goes the way that writes it.
        let ready = logger.logLevel > .debug ? self.ready : nil
        return made.flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let progress = try pipeline.handler(type: ConnectionGuard.self).progress
            let codec = try pipeline.context(handlerType: HTTP1ToHTTPServerCodec.self).handler
            try pipeline.addHandler(MessageGuard(progress), position: .before(codec))
            if let ready {
                try pipeline.addHandler(
                    SpotHandler(ready, progress, peer: DoorContext.peer(of: channel)), position: .first)
            }
            try pipeline.addHandler(LastBytes(), position: .first)
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
            await self.inside.handle(value: value, logger: logger)
        }
    }
}

/// Runs tasks on the thread of an event loop.
private final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
