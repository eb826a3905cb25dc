package import ClusterModel
package import ClusterPorts
package import Coordinator
package import Logging
import Synchronization

/// The leases of one node: what ``Leasing`` decides for the callers and the store.
///
/// ``run()`` carries out the orders, one statement at a time; callers wait for their reply. How it fails: a store
/// that does not answer fails the requests that wait for it; ends go on until they are answered; what cannot be
/// ended before the node stops is swept by others.
package final class BatchingLeaseDesk: LeaseDesk {
    struct State {
        /// Of the newest incarnation that is known.
        var leasing: Leasing?
        var waiters: [Leasing.Ticket: CheckedContinuation<Reply, Never>] = [:]
        var nextTicket: UInt64 = 0
        /// The desk ended, or ends: a new incarnation gets no leases.
        var isClosed = false
        var counts = Counts()
    }

    /// Since the start of the process.
    package struct Counts: Sendable, Equatable {
        package var acquireStatements = 0
        package var endStatements = 0
        package var readStatements = 0
        package var requests = 0
        package var ends = 0
        package var lost = 0
        package var forgotten = 0
    }

    let store: any LeaseStore
    let standing: any NodeStanding
    let limits: Leasing.Limits
    let stopLimit: Duration
    let logger: Logger
    let state = Mutex(State())
    let freedBell = Bell()
    let work: AsyncStream<Void>
    let poke: AsyncStream<Void>.Continuation

    /// - Parameter stopLimit: How long a stopping node tries to end what it holds, the statement in flight included; the
    ///   rest is swept. As long as whoever waits for an end waits.
    package init(
        store: any LeaseStore, standing: any NodeStanding, limits: Leasing.Limits = .standard,
        stopLimit: Duration = .seconds(5), logger: Logger
    ) {
        self.store = store
        self.standing = standing
        self.limits = limits
        self.stopLimit = stopLimit
        self.logger = logger
        (self.work, self.poke) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package var counts: Counts { self.state.withLock { $0.counts } }

    /// Leases that the node holds, as far as it knows.
    package var heldCount: Int { self.state.withLock { $0.leasing?.table.count ?? 0 } }

    package func freed() -> AsyncStream<Void> { self.freedBell.listen() }

    // MARK: Callers

    package func acquire(_ request: LeaseRequest) async throws(LeaseError) -> Lease {
        let right = try self.right()
        switch await self.grant(request, to: right) {
        case .success(let title): return Lease(title: title, right: right, desk: self)
        case .failure(let error): throw error
        }
    }

    package func acquire(all requests: [LeaseRequest]) async throws(LeaseError) -> LeaseBundle {
        let right = try self.right()
        guard requests.count <= 1_000 else { throw .busy }
        let outcomes = await withTaskGroup(of: Placed.self) { group in
            for (place, request) in requests.enumerated() {
                group.addTask { Placed(place: place, outcome: await self.grant(request, to: right)) }
            }
            var outcomes: [Grant] = Array(repeating: .failure(.cancelled), count: requests.count)
            for await placed in group { outcomes[placed.place] = placed.outcome }
            return outcomes
        }
        return LeaseBundle(outcomes: outcomes, right: right, desk: self)
    }

    private typealias Grant = Result<LeaseTitle, LeaseError>

    private struct Placed: Sendable {
        var place: Int
        var outcome: Grant
    }

    /// What the node may claim by at this moment.
    private func right() throws(LeaseError) -> NodeRight {
        let standing = self.standing.standing()
        guard let right = standing.right else { throw .notAllowed(standing) }
        self.follow(standing)
        return right
    }

    private func grant(_ request: LeaseRequest, to right: NodeRight) async -> Grant {
        let reply = await self.reply { state, ticket in
            guard state.leasing?.right.incarnation == right.incarnation else {
                return .told(state.isClosed ? .stopping : .denied(.fenced))
            }
            state.counts.requests += 1
            switch state.leasing?.asked(request, ticket: ticket) {
            case .waits?: return nil
            case .refused?: return .busy
            case .stopping?: return .told(.stopping)
            case .fenced?, nil: return .told(.denied(.fenced))
            }
        }
        switch reply {
        case .told(.granted(let title)): return .success(title)
        case .told(.denied(let answer)): return .failure(.denied(answer))
        case .told(let outcome): return .failure(Self.error(outcome))
        case .busy: return .failure(.busy)
        case .cancelled: return .failure(.cancelled)
        }
    }

    package func end(_ title: LeaseTitle, by right: NodeRight) async throws(LeaseError) -> Bool {
        let reply = await self.reply { state, ticket in
            guard state.leasing?.right.incarnation == right.incarnation else { return .told(.ended(false)) }
            state.counts.ends += 1
            switch state.leasing?.ending(title, ticket: ticket, at: SteadyClock.now()) {
            case .waits?: return nil
            case .lost?, nil: return .told(.ended(false))
            }
        }
        switch reply {
        case .told(.ended(let held)): return held
        case .told(let outcome): throw Self.error(outcome)
        case .busy: throw .busy
        case .cancelled: throw .cancelled
        }
    }

    private static func error(_ outcome: Leasing.Outcome) -> LeaseError {
        switch outcome {
        case .denied(let answer): .denied(answer)
        case .failed(let failure): .failed("\(failure)")
        case .stopping: .stopping
        case .unknown, .granted, .ended: .unknown
        }
    }

    package func giveBack(_ title: LeaseTitle, by right: NodeRight, forgotten: Bool) {
        let isEnding = self.state.withLock { state in
            guard state.leasing?.right.incarnation == right.incarnation,
                state.leasing?.ending(title, ticket: nil, at: SteadyClock.now()) == .waits
            else { return false }
            state.counts.ends += 1
            if forgotten { state.counts.forgotten += 1 }
            return true
        }
        guard isEnding else { return }
        if forgotten {
            self.logger.warning(
                "a lease was forgotten by its holder and is given back",
                metadata: ["lease.subject": "\(title.subject)", "lease.epoch": "\(title.epoch)"])
        }
        self.poke.yield()
    }

    package func wasEnded(_ title: LeaseTitle, by right: NodeRight) {
        self.state.withLock { state in
            guard state.leasing?.right.incarnation == right.incarnation else { return }
            state.leasing?.wasEnded(title)
        }
        self.freedBell.ring()
    }

    package func isHeld(_ title: LeaseTitle, by right: NodeRight) -> Bool {
        guard self.standing.standing().right?.incarnation == right.incarnation else { return false }
        return self.state.withLock { state in
            guard let leasing = state.leasing, leasing.right.incarnation == right.incarnation else {
                return false
            }
            return leasing.table.isHeld(title, at: SteadyClock.now())
        }
    }

    // MARK: Waiting

    enum Reply: Sendable {
        case told(Leasing.Outcome)
        case busy
        case cancelled
    }

    /// Waits for the reply to what `ask` put in.
    ///
    /// - Parameter ask: answers at once, or nil when a reply comes later.
    private func reply(_ ask: (inout State, Leasing.Ticket) -> Reply?) async -> Reply {
        let ticket = self.state.withLock { state in
            state.nextTicket += 1
            return Leasing.Ticket(state.nextTicket)
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Reply? = self.state.withLock { state in
                    // A cancellation before this point finds no waiter; one after it does.
                    if Task.isCancelled { return .cancelled }
                    if let reply = ask(&state, ticket) { return reply }
                    state.waiters[ticket] = continuation
                    return nil
                }
                if let now { continuation.resume(returning: now) } else { self.poke.yield() }
            }
        } onCancel: {
            self.abandon(ticket)
        }
    }

    private func abandon(_ ticket: Leasing.Ticket) {
        let waiter = self.state.withLock { state in
            let waiter = state.waiters.removeValue(forKey: ticket)
            if waiter != nil { state.leasing?.abandoned(ticket) }
            return waiter
        }
        waiter?.resume(returning: .cancelled)
    }
}
