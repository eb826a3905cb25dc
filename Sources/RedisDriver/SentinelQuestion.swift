import Synchronization

/// Asks one sentinel where the master is, and ends the connection with the answer.
final class SentinelQuestion: Conversation {
    /// What the sentinel said; nil until it has.
    final class Answer: Sendable {
        private let reply = Mutex<RedisValue?>(nil)

        func keep(_ reply: RedisValue) { self.reply.withLock { $0 = reply } }
        var value: RedisValue? { self.reply.withLock { $0 } }
    }

    private let master: String
    private let deadline: ContinuousClock.Instant
    private let answer: Answer
    private var toSend: [UInt8] = []
    private var hasBegun = false

    init(master: String, deadline: ContinuousClock.Instant, answer: Answer) {
        self.master = master
        self.deadline = deadline
        self.answer = answer
    }

    func began(at now: ContinuousClock.Instant) {
        self.hasBegun = true
        RedisCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.master).write(into: &self.toSend)
    }

    func outgoing() -> [UInt8] {
        defer { self.toSend.removeAll() }
        return self.toSend
    }

    func received(_ reply: RedisValue, at now: ContinuousClock.Instant) throws(RedisError) {
        self.answer.keep(reply)
        throw .shutDown
    }

    func caughtUp() {}

    var wakeAt: ContinuousClock.Instant? { self.hasBegun ? self.deadline : nil }

    func woke(at now: ContinuousClock.Instant) throws(RedisError) {
        if self.deadline <= now { throw .unavailable("it did not name the master in time") }
    }

    func ended(_ why: RedisError) {}

    /// The master's host, which may be a name, and its port.
    static func address(
        in reply: RedisValue, master: String
    ) throws(RedisError) -> RedisSentinels.Address {
        switch reply {
        case .null: throw .unavailable("it knows no master '\(master)'")
        case .error(let text): throw RedisError(refusal: text)
        case .array(let parts):
            guard parts.count == 2, let host = parts[0].text, !host.isEmpty,
                let port = parts[1].text.flatMap({ UInt16($0) }), port > 0
            else { throw .malformed("the address of a master without host or port") }
            return RedisSentinels.Address(host: host, port: Int(port))
        case .status, .integer, .bulk: throw .malformed("\(reply.kind) for the address of a master")
        }
    }
}
