import DequeModule

/// Decides which connection of a lane takes which statement, who waits, and when to dial.
///
/// Performs no I/O and reads no clock. First come, first served: nobody overtakes a waiter.
package struct PoolStateMachine<Waiter: AnyObject> {
    package enum Slot: Equatable {
        /// Nobody tries to connect. Goes to `dialling`.
        case empty
        /// A connection is being made. Goes to `ready`, `backingOff` or `empty`.
        case dialling
        /// The last attempt failed and the next one has its time. Goes to `dialling` or `empty`.
        case backingOff
        /// Takes statements. Goes to `suspect`, `retiring`, `dialling` or `backingOff`.
        case ready(inFlight: Int)
        /// A statement is overdue: gets nothing new until the server says something. Goes to where `ready`
        /// goes.
        case suspect(inFlight: Int)
        /// Ends what is in flight, then makes room for a new connection. Goes to `dialling` or `backingOff`.
        case retiring(inFlight: Int)
    }

    package enum Phase: Equatable {
        /// Not started yet: statements wait. Goes to `running` or `stopped`.
        case created
        /// Goes to `stopping`.
        case running
        /// Serves those who wait already, refuses new ones. Goes to `stopped`.
        case stopping
        case stopped
    }

    /// One who waits, and since when.
    package struct Waiting {
        package var waiter: Waiter
        package var since: ContinuousClock.Instant
    }

    let depth: Int
    let waitingLimit: Int
    let backOff: BackOff
    private(set) package var phase = Phase.created
    private(set) package var slots: [Slot]
    /// Connections in a row that failed or ended without an answer.
    private var failures: [Int]
    /// Servers in a row that could only be read, and when the last one was found.
    private var readOnlyInRow = 0
    private var readOnlyFoundAt: ContinuousClock.Instant?
    /// Slots that are retiring for that reason.
    private var readOnlySlots: Set<Int> = []
    private(set) var waiting: Deque<Waiting> = []
    private var lastChosen = 0

    /// - Parameters:
    ///   - connections: how many connections the pool keeps.
    ///   - depth: how many statements one connection carries at a time.
    ///   - waitingLimit: how many statements may wait for a place.
    package init(connections: Int, depth: Int, waitingLimit: Int, backOff: BackOff = BackOff()) {
        precondition(connections > 0 && depth > 0, "a lane needs a connection and a place on it")
        self.depth = depth
        self.waitingLimit = waitingLimit
        self.backOff = backOff
        self.slots = Array(repeating: .empty, count: connections)
        self.failures = Array(repeating: 0, count: connections)
    }

    /// Statements that were sent and not answered.
    package var inFlight: Int { self.slots.reduce(0) { $0 + $1.inFlight } }
    package var waitingCount: Int { self.waiting.count }
    package var readyCount: Int { self.slots.count { if case .ready = $0 { true } else { false } } }

    // MARK: Statements

    package enum OnSubmitted: Equatable {
        case send(slot: Int)
        case wait
        case refuse(PostgresError.NotRunReason)
    }

    package mutating func submitted(_ waiter: Waiter, at now: ContinuousClock.Instant) -> OnSubmitted {
        guard self.phase == .created || self.phase == .running else { return .refuse(.closed) }
        if self.waiting.isEmpty, let slot = self.leastBusy() {
            self.occupy(slot)
            return .send(slot: slot)
        }
        guard self.waiting.count < self.waitingLimit else { return .refuse(.queueFull) }
        self.waiting.append(Waiting(waiter: waiter, since: now))
        return .wait
    }

    /// A waiter gave up.
    ///
    /// - Returns: false when it was not waiting.
    package mutating func withdrawn(_ waiter: Waiter) -> Bool {
        guard let index = self.waiting.firstIndex(where: { $0.waiter === waiter }) else { return false }
        self.waiting.remove(at: index)
        return true
    }

    package enum OnAnswered: Equatable {
        /// These take the free places; the one whose turn it is first.
        case serve(Int)
        /// The connection has done its last statement: close it.
        case close
        case none
    }

    /// The server answered the oldest statement of a slot.
    package mutating func answered(_ slot: Int) -> OnAnswered {
        self.failures[slot] = 0
        switch self.slots[slot] {
        case .ready(let inFlight), .suspect(let inFlight):
            self.slots[slot] = .ready(inFlight: inFlight - 1)
            let free = min(self.depth - inFlight + 1, self.waiting.count)
            return free > 0 ? .serve(free) : .none
        case .retiring(let inFlight):
            self.slots[slot] = .retiring(inFlight: inFlight - 1)
            return inFlight == 1 ? .close : .none
        case .empty, .dialling, .backingOff:
            preconditionFailure("an answer on slot \(slot), which is \(self.slots[slot])")
        }
    }

    /// Takes the waiter whose turn it is and gives it a place on the slot.
    package mutating func nextWaiter(for slot: Int) -> Waiting? {
        guard case .ready(let inFlight) = self.slots[slot], inFlight < self.depth,
            let next = self.waiting.popFirst()
        else { return nil }
        self.occupy(slot)
        return next
    }

    /// A waiter that got a place does not need it any more: nothing was sent.
    package mutating func placeReturned(_ slot: Int) {
        guard case .ready(let inFlight) = self.slots[slot], inFlight > 0 else { return }
        self.slots[slot] = .ready(inFlight: inFlight - 1)
    }

    /// The driver itself wants to know whether an idle connection still works.
    ///
    /// - Returns: false when the slot is not idle: then its own traffic tells.
    package mutating func probed(_ slot: Int) -> Bool {
        guard self.slots[slot] == .ready(inFlight: 0) else { return false }
        self.occupy(slot)
        return true
    }

    /// A statement on the slot got no answer in time.
    package mutating func overdue(_ slot: Int) {
        guard case .ready(let inFlight) = self.slots[slot] else { return }
        self.slots[slot] = .suspect(inFlight: inFlight)
    }

    private mutating func occupy(_ slot: Int) {
        guard case .ready(let inFlight) = self.slots[slot] else { return }
        self.slots[slot] = .ready(inFlight: inFlight + 1)
        self.lastChosen = slot
    }

    /// Ties go round, so that an idle pool keeps all its connections in use.
    private func leastBusy() -> Int? {
        var best: (slot: Int, inFlight: Int)?
        for step in 1...self.slots.count {
            let slot = (self.lastChosen + step) % self.slots.count
            guard case .ready(let inFlight) = self.slots[slot], inFlight < self.depth else { continue }
            if best.map({ inFlight < $0.inFlight }) ?? true { best = (slot, inFlight) }
        }
        return best?.slot
    }
}

extension PoolStateMachine.Slot {
    var inFlight: Int {
        switch self {
        case .ready(let inFlight), .suspect(let inFlight), .retiring(let inFlight): inFlight
        case .empty, .dialling, .backingOff: 0
        }
    }
}

// MARK: Connections

extension PoolStateMachine {
    /// - Returns: the slots to dial for.
    package mutating func started() -> [Int] {
        guard self.phase == .created else { return [] }
        self.phase = .running
        self.slots = self.slots.map { _ in .dialling }
        return Array(self.slots.indices)
    }

    package enum OnDialled: Equatable {
        case serve
        /// Nobody needs it any more.
        case close
    }

    package mutating func dialled(_ slot: Int) -> OnDialled {
        guard self.slots[slot] == .dialling, self.phase != .stopped else { return .close }
        self.slots[slot] = .ready(inFlight: 0)
        return .serve
    }

    package enum OnLost: Equatable {
        case dial
        case dialLater(Duration)
        case none
    }

    /// - Parameter jitter: from 0 to 1, by chance.
    package mutating func dialFailed(_ slot: Int, jitter: Double) -> OnLost {
        guard self.slots[slot] == .dialling else { return .none }
        return self.redial(slot, jitter: jitter)
    }

    /// A connection ended; its statements have been answered one by one before.
    ///
    /// The first loss is dialled for at once; a connection that ends before it answered anything waits.
    package mutating func lost(_ slot: Int, jitter: Double) -> OnLost {
        switch self.slots[slot] {
        case .ready, .suspect, .retiring: self.redial(slot, jitter: jitter)
        case .empty, .dialling, .backingOff: .none
        }
    }

    private mutating func redial(_ slot: Int, jitter: Double) -> OnLost {
        guard self.phase == .running || self.phase == .stopping else {
            self.slots[slot] = .empty
            return .none
        }
        let wasLost = self.slots[slot] != .dialling
        self.failures[slot] += 1
        if self.readOnlySlots.remove(slot) != nil { self.failures[slot] += self.readOnlyInRow }
        if wasLost, self.failures[slot] == 1 {
            self.slots[slot] = .dialling
            return .dial
        }
        self.slots[slot] = .backingOff
        return .dialLater(self.backOff.delay(failures: self.failures[slot], jitter: jitter))
    }

    /// - Returns: whether to dial now.
    package mutating func backOffEnded(_ slot: Int) -> Bool {
        guard self.slots[slot] == .backingOff, self.phase != .stopped else { return false }
        self.slots[slot] = .dialling
        return true
    }

    package enum OnRetired: Equatable { case close, none }

    /// A server can only be read: all connections are to be replaced.
    ///
    /// The first one found is left at once; if the next one is no better, each further attempt has to wait, as those
    /// that fail. Several statements of one connection find it once.
    package mutating func readOnlyFound(at now: ContinuousClock.Instant) {
        let isNew = self.slots.contains { slot in
            switch slot {
            case .ready, .suspect: true
            case .empty, .dialling, .backingOff, .retiring: false
            }
        }
        guard isNew else { return }
        let isInRow = self.readOnlyFoundAt.map { $0.duration(to: now) < self.backOff.cap * 5 } ?? false
        self.readOnlyInRow = isInRow ? self.readOnlyInRow + 1 : 0
        self.readOnlyFoundAt = now
    }

    /// The connection should be replaced, because its server can only be read (``readOnlyFound(at:)``).
    package mutating func retired(_ slot: Int) -> OnRetired {
        switch self.slots[slot] {
        case .ready(let inFlight), .suspect(let inFlight):
            self.slots[slot] = .retiring(inFlight: inFlight)
            self.readOnlySlots.insert(slot)
            return inFlight == 0 ? .close : .none
        case .empty, .dialling, .backingOff, .retiring: return .none
        }
    }

    package enum OnAged: Equatable {
        case close
        /// It has something to end first; `answered` says when to close.
        case drain
        /// Another connection is missing just now; this one is still needed.
        case later
        case none
    }

    /// The connection has reached its maximum age.
    ///
    /// One at a time, so that a lane is never short of more than one connection for the sake of its age.
    package mutating func aged(_ slot: Int) -> OnAged {
        guard self.phase == .running else { return .none }
        let othersAreReady = self.slots.indices.allSatisfy { other in
            if other == slot { return true }
            if case .ready = self.slots[other] { return true }
            return false
        }
        switch self.slots[slot] {
        case .ready(let inFlight):
            guard othersAreReady else { return .later }
            self.slots[slot] = .retiring(inFlight: inFlight)
            return inFlight == 0 ? .close : .drain
        case .suspect: return .later
        case .empty, .dialling, .backingOff, .retiring: return .none
        }
    }

    // MARK: The end

    /// From here on nothing new is accepted.
    package mutating func stopBegun() {
        if self.phase != .stopped { self.phase = .stopping }
    }

    /// Whether everybody who was accepted has an answer.
    package var isDrained: Bool { self.waiting.isEmpty && self.inFlight == 0 }

    /// - Returns: those who wait in vain.
    package mutating func stopped() -> [Waiter] {
        self.phase = .stopped
        defer { self.waiting = [] }
        return self.waiting.map(\.waiter)
    }
}
