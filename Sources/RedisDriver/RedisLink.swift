import Glibc
import ReadinessLoop

/// Keeps one socket to a server going: connects, greets, moves bytes, wakes in time.
///
/// It lives on the thread of the loop and decides nothing: what is said is the conversation's.
actor RedisLink {
    /// How one connection, or the attempt at one, ended.
    struct Ending: Sendable {
        let why: RedisError
        /// The greeting went through.
        let wasReady: Bool
    }

    /// What one connection is to be.
    struct Plan: Sendable {
        let address: ServerAddress
        let greeting: Greeting
        /// Nil means that nothing is encrypted.
        let tls: TLSContext?
        /// By when the greeting has to be through.
        let deadline: ContinuousClock.Instant
    }

    private enum Phase {
        case idle
        case connecting
        case greeting
        case talking
    }

    private enum Limits {
        /// Reads of one connection before the others of the loop have their turn.
        static let readsPerTurn = 8
        /// Deadlines are kept to this grain, so that many calls share one look at them.
        static let wakeGrain: Duration = .milliseconds(1)
    }

    nonisolated let loop: ReadinessLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe self.loop.asUnownedSerialExecutor() }

    private let conversation: any Conversation
    private let configuration: RedisConfiguration
    private var phase = Phase.idle
    private var hiredis: HiredisContext?
    private var watch: Watch?
    private var alarm: LoopTimer?
    private var plan: Plan?
    private var greeting: Greeting?
    private var greetingDeadline: ContinuousClock.Instant?
    private var greeted: (@Sendable () -> Void)?
    private var ending: CheckedContinuation<Ending, Never>?

    init(loop: ReadinessLoop, configuration: RedisConfiguration, conversation: sending any Conversation) {
        self.loop = loop
        self.configuration = configuration
        self.conversation = conversation
    }

    /// Connects, and talks until the connection ends or the task is cancelled.
    ///
    /// - Parameter greeted: called on the loop once the greeting is through.
    func serve(_ plan: Plan, greeted: @escaping @Sendable () -> Void = {}) async -> Ending {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.ending = continuation
                self.greeted = greeted
                self.connect(plan)
            }
        } onCancel: {
            self.loop.execute { self.assumeIsolated { $0.end(.shutDown) } }
        }
    }

    /// Tells the conversation why there is no connection, when not even an attempt can be made.
    func cannotServe(_ why: RedisError) {
        self.conversation.ended(why)
    }

    /// Sends what the conversation has; from any thread.
    nonisolated func wake() {
        self.loop.execute {
            self.assumeIsolated { $0.attempt { link throws(RedisError) in try link.pump() } }
        }
    }

    /// Runs `body` with the conversation, after everything that was sent before; from any thread.
    nonisolated func withConversation<Talk: Conversation>(
        _ type: Talk.Type, _ body: @escaping @Sendable (Talk) -> Void
    ) {
        self.loop.execute {
            self.assumeIsolated { link in
                if let conversation = link.conversation as? Talk { body(conversation) }
            }
        }
    }

    // MARK: On the loop

    private func connect(_ plan: Plan) {
        self.attempt { link throws(RedisError) in
            ignoreBrokenPipes()
            let hiredis = try HiredisContext(
                connectingTo: plan.address, replyBytesMax: link.configuration.replyBytesMax)
            link.hiredis = hiredis
            link.phase = .connecting
            link.plan = plan
            link.greeting = plan.greeting
            link.greetingDeadline = plan.deadline
            do {
                link.watch = try link.loop.watch(hiredis.descriptor, for: .writable) { readiness in
                    link.attempt { link throws(RedisError) in try link.ready(readiness) }
                }
            } catch {
                throw .unavailable("\(error)")
            }
            link.setAlarm()
        }
    }

    private func ready(_ readiness: Readiness) throws(RedisError) {
        guard let hiredis = self.hiredis else { return }
        if self.phase == .connecting {
            if let failure = hiredis.connectFailure { throw .unavailable(failure) }
            self.phase = .greeting
            if let plan = self.plan, let tls = plan.tls { try hiredis.beginTLS(tls, name: plan.address.name) }
            try hiredis.append(self.greeting?.bytes ?? [])
            return try self.flush(hiredis)
        }
        if readiness.hasRoom { try self.flush(hiredis) }
        guard readiness.hasInput else { return }
        var rounds = 0
        repeat {
            let count = try hiredis.read()
            while self.phase != .idle, let reply = try hiredis.nextReply() { try self.hear(reply) }
            self.conversation.caughtUp()
            guard count == HiredisContext.readSize else { break }
            rounds += 1
        } while self.phase != .idle && rounds < Limits.readsPerTurn
        if self.phase == .greeting { try self.flush(hiredis) }
        try self.pump()
    }

    private func hear(_ reply: RedisValue) throws(RedisError) {
        switch self.phase {
        case .talking: try self.conversation.received(reply, at: self.loop.now)
        case .greeting:
            switch self.greeting?.replied(reply) {
            case .wait, nil: break
            case .giveUp(let why): throw why
            case .begin:
                self.phase = .talking
                self.greetingDeadline = nil
                self.conversation.began(at: self.loop.now)
                self.greeted?()
            }
        case .idle, .connecting: break
        }
    }

    private func pump() throws(RedisError) {
        guard self.phase == .talking, let hiredis = self.hiredis else { return }
        try hiredis.append(self.conversation.outgoing())
        try self.flush(hiredis)
        self.setAlarm()
    }

    private func flush(_ hiredis: HiredisContext) throws(RedisError) {
        try hiredis.flush()
        // A handshake goes on when the server has spoken: until then a writable socket says nothing.
        let waitsForRoom = hiredis.hasUnsent && !hiredis.isShakingHands
        self.watch?.change(to: waitsForRoom ? [.readable, .writable] : .readable)
    }

    /// One alarm for whatever is due first; an earlier one than needed stays, and sets the next.
    private func setAlarm() {
        guard let due = self.greetingDeadline ?? self.conversation.wakeAt, self.phase != .idle else { return }
        if let alarm = self.alarm {
            guard due < alarm.due else { return }
            alarm.cancel()
        }
        let graced = max(due, self.loop.now).advanced(by: Limits.wakeGrain)
        self.alarm = self.loop.schedule(at: graced) {
            self.alarm = nil
            self.attempt { link throws(RedisError) in try link.rang() }
        }
    }

    private func rang() throws(RedisError) {
        let now = ContinuousClock.now
        if let deadline = self.greetingDeadline {
            if deadline <= now {
                throw .unavailable("no connection and greeting in time")
            }
        } else if self.phase == .talking {
            try self.conversation.woke(at: now)
            try self.pump()
        }
        self.setAlarm()
    }

    private func attempt(_ body: (isolated RedisLink) throws(RedisError) -> Void) {
        do throws(RedisError) {
            try body(self)
        } catch {
            self.end(error)
        }
    }

    private func end(_ why: RedisError) {
        guard let ending = self.ending else { return }
        let wasReady = self.phase == .talking
        self.phase = .idle
        self.ending = nil
        self.greeted = nil
        self.watch?.cancel()
        self.watch = nil
        self.alarm?.cancel()
        self.alarm = nil
        self.greetingDeadline = nil
        self.plan = nil
        self.hiredis = nil
        self.conversation.ended(why)
        ending.resume(returning: Ending(why: why, wasReady: wasReady))
    }
}

/// Lets a write to a closed connection fail with EPIPE on this thread, where it would end the process.
private func ignoreBrokenPipes() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
}
