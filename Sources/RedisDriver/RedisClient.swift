package import Logging
package import ReadinessLoop
import ServiceLifecycle
import Synchronization

/// A client of one Redis server, or of the master that sentinels name: calls from any number of tasks share
/// one connection, subscribers have their own.
///
/// It does nothing until `run()` runs, and comes back by itself from whatever happens to the server. A call
/// never waits longer than its budget; while there is no Redis, calls fail at once with
/// `RedisError.unavailable`. The loop must run on until `run()` has returned.
package final class RedisClient: Service, Sendable {
    package let configuration: RedisConfiguration
    let queue: CallQueue
    private let link: RedisLink
    private let resolver: HostResolver
    private let logger: Logger
    private let subscriptions: Mutex<Subscriptions>
    private let subscriptionRequests: AsyncStream<Subscription>

    private struct Subscriptions {
        let requests: AsyncStream<Subscription>.Continuation
        var open: [UInt64: AsyncStream<RedisEvent>.Continuation] = [:]
        var lastNumber: UInt64 = 0
        var dropped: UInt64 = 0
        var isOver = false
    }

    package init(_ configuration: RedisConfiguration, loop: ReadinessLoop, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        let queue = CallQueue(
            inFlightMax: configuration.inFlightMax, commandBytesMax: configuration.commandBytesMax)
        self.queue = queue
        self.resolver = HostResolver(loop: loop)
        self.link = RedisLink(
            loop: loop, configuration: configuration,
            conversation: CallConversation(configuration, queue: queue))
        // Bounded by the count of subscriptions, which is checked before one is asked for.
        let (stream, continuation) = AsyncStream.makeStream(of: Subscription.self)
        self.subscriptionRequests = stream
        self.subscriptions = Mutex(Subscriptions(requests: continuation))
    }

    /// Connects and stays connected until it is cancelled or the service group shuts down.
    ///
    /// Call it once.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.reconnecting(self.link, purpose: "calls").run() }
                for await subscription in self.subscriptionRequests {
                    group.addTask { await self.serve(subscription) }
                }
                group.cancelAll()
            }
        }
        let abandoned = self.subscriptions.withLock { subscriptions in
            subscriptions.isOver = true
            subscriptions.requests.finish()
            return Array(subscriptions.open.values)
        }
        for events in abandoned { events.finish() }
    }

    /// Sends one command and waits for its answer.
    ///
    /// Calls of concurrent tasks leave in one write. Cancelling the task gives up the answer, not the
    /// command.
    ///
    /// - Parameter budget: how long to wait; nil means the client's.
    package func send(_ command: RedisCommand, budget: Duration? = nil) async throws(RedisError) -> RedisValue
    {
        guard !Task.isCancelled else { throw .cancelled }
        let budget = budget ?? self.configuration.callBudget
        let deadline = ContinuousClock.now.advanced(by: budget)
        let number = Atomic<UInt64>(0)
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waiter = CallQueue.Waiter.call(continuation, budget: budget)
                switch self.queue.submit(command, waiter: waiter, deadline: deadline) {
                case .refused(let why): return continuation.resume(returning: .failure(why))
                case .queued(let given): number.store(given, ordering: .relaxed)
                case .wakeLoop(let given):
                    number.store(given, ordering: .relaxed)
                    self.link.wake()
                }
                // A cancellation that came before the number was known found nothing to abandon.
                if Task.isCancelled { self.abandon(number.load(ordering: .relaxed)) }
            }
        } onCancel: {
            self.abandon(number.load(ordering: .relaxed))
        }
        return try answer.get()
    }

    /// Whether calls are admitted now; the reason when they are not.
    package var refusal: RedisError? { self.queue.refusal }

    package var statistics: RedisStatistics {
        var statistics = self.queue.statistics
        statistics.messagesDropped = self.subscriptions.withLock { $0.dropped }
        return statistics
    }

    private func abandon(_ number: UInt64) {
        guard number > 0 else { return }
        self.link.withConversation(CallConversation.self) { $0.abandon(number) }
    }

    private func reconnecting(_ link: RedisLink, purpose: String) -> ReconnectingLink {
        ReconnectingLink(
            link: link, resolver: self.resolver, configuration: self.configuration, purpose: purpose,
            logger: self.logger)
    }
}

// MARK: Subscriptions

extension RedisClient {
    /// The messages of some channels, over all reconnections, on a connection of its own.
    ///
    /// The first event is `subscribed`. Nothing is lost in silence: `mayHaveMissed` comes after each
    /// reconnection, once the channels are subscribed again, and when a slow reader lost the oldest events,
    /// which the statistics count too. The connection ends with the iteration, and the sequence with `run()`.
    ///
    /// - Parameter channels: at least one.
    /// - Throws: `overloaded` when there are `subscriptionsMax` already, `shutDown` after `run()`.
    package func messages(on channels: [String]) throws(RedisError) -> AsyncStream<RedisEvent> {
        precondition(!channels.isEmpty, "a subscription needs a channel")
        let limit = self.configuration.subscriptionsMax
        let (events, continuation) = AsyncStream.makeStream(
            of: RedisEvent.self, bufferingPolicy: .bufferingNewest(self.configuration.messagesMax))
        let (readerLeft, leaving) = AsyncStream.makeStream(of: Never.self)
        let refusal: RedisError? = self.subscriptions.withLock { subscriptions in
            guard !subscriptions.isOver else { return .shutDown }
            guard subscriptions.open.count < limit else { return .overloaded(limit: limit) }
            subscriptions.lastNumber += 1
            subscriptions.open[subscriptions.lastNumber] = continuation
            subscriptions.requests.yield(
                Subscription(
                    number: subscriptions.lastNumber, channels: channels, events: continuation,
                    readerLeft: readerLeft))
            return nil
        }
        if let refusal { throw refusal }
        continuation.onTermination = { _ in leaving.finish() }
        return events
    }

    /// Runs until the reader has gone or the task is cancelled.
    private func serve(_ subscription: Subscription) async {
        let outbox = EventOutbox(subscription.events) { self.subscriptions.withLock { $0.dropped += 1 } }
        let conversation = SubscriptionConversation(
            channels: subscription.channels, heartbeatInterval: self.configuration.heartbeatInterval,
            outbox: outbox)
        let link = RedisLink(
            loop: self.link.loop, configuration: self.configuration, conversation: conversation)
        let reconnecting = self.reconnecting(link, purpose: "subscription")
        await withTaskGroup { group in
            group.addTask { await reconnecting.run() }
            for await _ in subscription.readerLeft {}
            group.cancelAll()
        }
        subscription.events.finish()
        self.subscriptions.withLock { $0.open[subscription.number] = nil }
    }
}

/// What one subscriber asked for.
struct Subscription: Sendable {
    let number: UInt64
    let channels: [String]
    let events: AsyncStream<RedisEvent>.Continuation
    /// Ends when nobody reads the events any more.
    let readerLeft: AsyncStream<Never>
}
