/// Hands events to one reader and tells it when it was too slow; belongs to the thread of the loop.
final class EventOutbox {
    private let events: AsyncStream<RedisEvent>.Continuation
    private let messageDropped: @Sendable () -> Void
    /// `mayHaveMissed` waits behind what the reader has not taken, and no event found room since.
    private var isBehind = false

    init(_ events: AsyncStream<RedisEvent>.Continuation, messageDropped: @escaping @Sendable () -> Void) {
        self.events = events
        self.messageDropped = messageDropped
    }

    /// The oldest event makes room for this one where there is none.
    func deliver(_ event: RedisEvent) {
        switch self.events.yield(event) {
        case .dropped(let dropped):
            if case .message = dropped { self.messageDropped() }
            // One warning covers all that is older; one that was dropped itself is said again.
            if self.isBehind, case .message = dropped { return }
            self.isBehind = true
            if case .dropped(.message) = self.events.yield(.mayHaveMissed) { self.messageDropped() }
        case .enqueued: self.isBehind = false
        case .terminated: break
        @unknown default: break
        }
    }
}
