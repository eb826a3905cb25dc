/// Subscribes, hands on what is pushed, and makes sure that a quiet connection still lives.
final class SubscriptionConversation: Conversation {
    private let channels: [String]
    private let heartbeatInterval: Duration
    private let outbox: EventOutbox
    private var unconfirmed: Set<String> = []
    private var wasSubscribed = false
    private var toSend: [UInt8] = []
    private var heardAt: ContinuousClock.Instant?
    private var nextPing: ContinuousClock.Instant?

    /// A connection without a sign of life for so many intervals is given up.
    private static let silentIntervalsMax = 3

    init(channels: [String], heartbeatInterval: Duration, outbox: EventOutbox) {
        // Each name once: the server confirms a name that is given twice twice.
        self.channels = Set(channels).sorted()
        self.heartbeatInterval = heartbeatInterval
        self.outbox = outbox
    }

    func began(at now: ContinuousClock.Instant) {
        self.unconfirmed = Set(self.channels)
        var command = RedisCommand("SUBSCRIBE")
        for channel in self.channels { command.append(channel) }
        self.toSend = []
        command.write(into: &self.toSend)
        self.heardAt = now
        self.nextPing = now.advanced(by: self.heartbeatInterval)
    }

    func outgoing() -> [UInt8] {
        defer { self.toSend.removeAll() }
        return self.toSend
    }

    func received(_ reply: RedisValue, at now: ContinuousClock.Instant) throws(RedisError) {
        self.heardAt = now
        switch try PushedReply(reply) {
        case .subscribed(let channel):
            guard self.unconfirmed.remove(channel) != nil else {
                throw .malformed("a subscription that was not asked for")
            }
            guard self.unconfirmed.isEmpty else { return }
            self.outbox.deliver(self.wasSubscribed ? .mayHaveMissed : .subscribed)
            self.wasSubscribed = true
        case .message(let channel, let payload):
            guard self.channels.contains(channel) else {
                throw .malformed("a message of a channel not subscribed")
            }
            self.outbox.deliver(.message(channel: channel, payload: payload))
        case .pong, .other: break
        }
    }

    func caughtUp() {}

    var wakeAt: ContinuousClock.Instant? { self.nextPing }

    func woke(at now: ContinuousClock.Instant) throws(RedisError) {
        guard let nextPing = self.nextPing, nextPing <= now, let heardAt = self.heardAt else { return }
        guard heardAt.duration(to: now) < self.heartbeatInterval * Self.silentIntervalsMax else {
            throw .connectionLost("no sign of life for \(heardAt.duration(to: now))")
        }
        RedisCommand("PING").write(into: &self.toSend)
        self.nextPing = now.advanced(by: self.heartbeatInterval)
    }

    func ended(_ why: RedisError) {
        self.nextPing = nil
        self.heardAt = nil
        self.toSend.removeAll()
    }
}
