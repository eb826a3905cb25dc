/// What a subscriber sees.
package enum RedisEvent: Sendable, Equatable {
    /// All channels are subscribed for the first time.
    case subscribed
    /// Messages before this may have been missed: the connection had ended and the channels are subscribed
    /// again, or the reader was too slow for them.
    case mayHaveMissed
    case message(channel: String, payload: [UInt8])
}

/// What a server pushes on a subscribed connection.
package enum PushedReply: Equatable {
    case subscribed(channel: String)
    case message(channel: String, payload: [UInt8])
    case pong
    /// Leaving a channel, which is never asked for.
    case other

    package init(_ reply: RedisValue) throws(RedisError) {
        if case .error(let text) = reply { throw RedisError(refusal: text) }
        guard case .array(let parts) = reply, let kind = parts.first?.text else {
            throw .malformed("\(reply.kind) on a subscribed connection")
        }
        switch (kind, parts.count) {
        case ("subscribe", 3):
            guard let channel = parts[1].text else { throw .malformed("a subscription without its channel") }
            self = .subscribed(channel: channel)
        case ("message", 3):
            guard let channel = parts[1].text, let payload = parts[2].bytes else {
                throw .malformed("a message without its channel or payload")
            }
            self = .message(channel: channel, payload: payload)
        case ("pong", _): self = .pong
        case ("unsubscribe", 3), ("psubscribe", 3), ("punsubscribe", 3), ("pmessage", 4): self = .other
        default: throw .malformed("a push of \(parts.count) parts that is no message")
        }
    }
}
