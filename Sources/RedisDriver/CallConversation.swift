/// Sends what the queue holds and gives each reply to whoever waits for it.
final class CallConversation: Conversation {
    private let queue: CallQueue
    private let probeBudget: Duration
    /// A server that turns out to be a replica is left, so that the sentinels are asked again.
    private let followsMaster: Bool
    private var pending = PendingReplies<CallQueue.Waiter>()
    private var breaker: CircuitBreaker
    /// Not yet published.
    private var tally = Tally()

    /// Answers are handed over only after the figures were published: who has an answer finds its place free.
    private struct Tally {
        var settled = 0
        var late: UInt64 = 0
        var answers: [(to: CheckedContinuation<CallQueue.Answer, Never>, answer: CallQueue.Answer)] = []
    }

    init(_ configuration: RedisConfiguration, queue: CallQueue) {
        self.queue = queue
        self.breaker = CircuitBreaker(configuration.breaker)
        self.probeBudget = configuration.connectBudget
        if case .master = configuration.url.endpoint {
            self.followsMaster = true
        } else {
            self.followsMaster = false
        }
    }

    func began(at now: ContinuousClock.Instant) {
        self.queue.settle(0) { $0.connections += 1 }
        switch self.breaker.connected() {
        case .admitCalls: self.queue.admitCalls()
        }
    }

    func outgoing() -> [UInt8] {
        let batch = self.queue.take()
        for entry in batch.entries {
            self.pending.append(entry.waiter, number: entry.number, deadline: entry.deadline)
        }
        return batch.bytes
    }

    func received(_ reply: RedisValue, at now: ContinuousClock.Instant) throws(RedisError) {
        switch self.pending.replied() {
        case .unexpected:
            if case .error(let text) = reply { throw RedisError(refusal: text) }
            throw .malformed("a reply that nobody asked for")
        case .late:
            self.tally.late += 1
        case .deliver(.call(let continuation, _)):
            self.breaker.answered()
            let answer = Self.answer(reply)
            self.tally.answers.append((continuation, answer))
            if self.followsMaster, case .failure(.rejected("READONLY", _)) = answer {
                self.tally.settled += 1
                throw .unavailable("the server is the master no more")
            }
        case .deliver(.probe):
            switch self.breaker.probeAnswered() {
            case .admitCalls: self.queue.admitCalls()
            case .none: break
            }
        }
        self.tally.settled += 1
    }

    func caughtUp() {
        let tally = self.tally
        self.tally = Tally()
        self.queue.settle(tally.settled) {
            $0.answered += UInt64(tally.answers.count)
            $0.late += tally.late
        }
        for (continuation, answer) in tally.answers { continuation.resume(returning: answer) }
    }

    var wakeAt: ContinuousClock.Instant? {
        guard let deadline = self.pending.nextDeadline else { return self.breaker.probeAt }
        return min(deadline, self.breaker.probeAt ?? deadline)
    }

    func woke(at now: ContinuousClock.Instant) throws(RedisError) {
        var timedOut: [(CheckedContinuation<CallQueue.Answer, Never>, Duration)] = []
        var probeFailed = false
        for waiter in self.pending.expire(at: now) {
            guard case .call(let continuation, let budget) = waiter else {
                probeFailed = true
                continue
            }
            timedOut.append((continuation, budget))
            if case .refuseCalls(let failures) = self.breaker.failed(at: now) {
                self.queue.refuseCalls(.unavailable("\(failures) calls in a row were not answered in time"))
                self.queue.settle(0) { $0.circuitOpened += 1 }
            }
        }
        if !timedOut.isEmpty { self.queue.settle(0) { $0.timedOut += UInt64(timedOut.count) } }
        for (continuation, budget) in timedOut { continuation.resume(returning: .failure(.timedOut(budget))) }
        if probeFailed { throw .unavailable("no answer to a probe within \(self.probeBudget)") }
        if self.breaker.tick(at: now) == .sendProbe {
            _ = self.queue.submit(
                RedisCommand("PING"), waiter: .probe, deadline: now.advanced(by: self.probeBudget))
        }
    }

    func ended(_ why: RedisError) {
        self.caughtUp()
        self.breaker.disconnected()
        let sent = self.pending.removeAll()
        let refusal = why.asRefusal
        let neverSent = self.queue.disconnected(refusal, lost: sent.count)
        for case .call(let continuation, _) in sent { continuation.resume(returning: .failure(why.asLoss)) }
        for case .call(let continuation, _) in neverSent.map(\.waiter) {
            continuation.resume(returning: .failure(refusal))
        }
    }

    /// Answers one caller now; its reply is dropped when it comes.
    func abandon(_ number: UInt64) {
        guard case .call(let continuation, _) = self.pending.abandon(number) else { return }
        continuation.resume(returning: .failure(.cancelled))
    }

    private static func answer(_ reply: RedisValue) -> CallQueue.Answer {
        if case .error(let text) = reply { return .failure(RedisError(refusal: text)) }
        return .success(reply)
    }
}

extension RedisError {
    /// What new calls are told while this is the reason why there is no connection.
    fileprivate var asRefusal: RedisError {
        switch self {
        case .unavailable, .shutDown: self
        case .connectionLost(let why), .malformed(let why): .unavailable(why)
        case .rejected(let code, let message): .unavailable("\(code) \(message)")
        case .overloaded, .commandTooLong, .timedOut, .cancelled, .unexpectedReply:
            .unavailable(self.description)
        }
    }

    /// What calls that were sent are told when this ended the connection.
    fileprivate var asLoss: RedisError {
        switch self {
        case .connectionLost, .malformed: self
        case .unavailable(let why): .connectionLost(why)
        case .rejected(let code, let message): .connectionLost("\(code) \(message)")
        case .shutDown: .connectionLost("the client was shut down")
        case .overloaded, .commandTooLong, .timedOut, .cancelled, .unexpectedReply:
            .connectionLost(self.description)
        }
    }
}
