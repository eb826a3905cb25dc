package import ClusterModel
package import ClusterPorts
package import Coordinator
package import Logging
import Synchronization

/// Takes jobs for one node, has their handlers run, and tells the store how they ended: what ``Claiming`` and
/// ``JobEndings`` decide.
///
/// ``run()`` claims with one statement in flight and finishes with another one; each job's handler is a task of its own.
/// How it fails: a store that does not answer is asked again with growing pauses, and no claim is taken for ended before
/// the store has said so or the claim is gone; what a node cannot end is swept by others when it has left.
///
/// Handlers must heed their cancellation: one that does not keeps its slot, and keeps the node from stopping, although
/// its claim is given back by then.
package final class JobRunner: Sendable {
    struct State {
        /// Of the newest incarnation that is known; nil when it is dead.
        var right: NodeRight?
        var newest: Incarnation?
        var claiming: Claiming
        var endings = JobEndings()
        var attendants: [JobTitle: Attendant] = [:]
        /// Claims of jobs with an order key.
        var ordered: Set<JobTitle> = []
        var isIsolated = false
        /// Losses that the heartbeats announced, and those that were read.
        var lossesAnnounced: Int64 = 0
        var lossesRead: Int64 = 0
        var stoppingSince: ClusterInstant?
        /// Of a stopping node: since when no handler runs.
        var flushingSince: ClusterInstant?
        var counts = Counts()
    }

    /// Waits beside a handler.
    struct Attendant {
        var waiter: CheckedContinuation<Bool, Never>?
        /// What it is to be told: whether to cancel the handler.
        var cancels: Bool?
    }

    /// Since the start of the process.
    package struct Counts: Sendable, Equatable {
        package var surveys = 0
        package var claimStatements = 0
        package var finishStatements = 0
        package var claimed = 0
        package var done = 0
        package var retried = 0
        package var failed = 0
        package var givenBack = 0
        package var postponed = 0
        /// Endings that came too late.
        package var fenced = 0
        /// Claims taken away while a handler ran.
        package var lost = 0

        package init() {}
    }

    package struct Settings: Sendable, Equatable {
        /// Jobs that run at a time; 1 to 1,000.
        package var capacity = 64
        /// Handlers of a stopping node go on for so long, and are cancelled then.
        package var stopGrace: Duration = .seconds(5)
        /// So long after the stop began, what has not ended is given back whatever its handler does.
        package var stopLimit: Duration = .seconds(10)
        /// For the last statements, once no handler runs; what the database has not answered by then is swept.
        package var stopFlush: Duration = .seconds(2)

        package init(capacity: Int = 64) { self.capacity = capacity }
    }

    let store: any JobStore
    let losses: any LeaseStore
    let standing: any NodeStanding
    let handlers: [JobKind: any JobHandler]
    let doorbell: any Doorbell
    let meter: (any LoadMeter)?
    let settings: Settings
    let logger: Logger
    let state: Mutex<State>
    /// Rings after jobs with an order key ended: the next one may be let through.
    package let orderedEnds = Bell()
    let claimWork: AsyncStream<Void>
    let claimPoke: AsyncStream<Void>.Continuation
    let finishWork: AsyncStream<Void>
    let finishPoke: AsyncStream<Void>.Continuation
    let lossWork: AsyncStream<Void>
    let lossPoke: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - losses: where claims that were taken from this living node are read, as leases of the kind `job`.
    ///   - handlers: one for each kind; jobs of other kinds are left to other nodes.
    ///   - meter: the node's own load; nil when nobody measures it.
    ///   - claiming: changes how it claims; kinds and capacity come from the handlers and the settings.
    package init(
        store: any JobStore, losses: any LeaseStore, standing: any NodeStanding, handlers: [any JobHandler],
        doorbell: any Doorbell, meter: (any LoadMeter)? = nil, settings: Settings = Settings(),
        claiming: Claiming.Settings? = nil, logger: Logger
    ) {
        self.store = store
        self.losses = losses
        self.standing = standing
        self.handlers = Dictionary(handlers.map { ($0.kind, $0) }) { first, _ in first }
        self.doorbell = doorbell
        self.meter = meter
        self.settings = settings
        self.logger = logger
        var claims = claiming ?? Claiming.Settings(kinds: [])
        claims.kinds = Set(self.handlers.keys)
        claims.capacity = min(1_000, max(1, settings.capacity))
        self.state = Mutex(State(claiming: Claiming(slot: Slot(0), settings: claims)))
        func stream() -> (AsyncStream<Void>, AsyncStream<Void>.Continuation) {
            AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        }
        (self.claimWork, self.claimPoke) = stream()
        (self.finishWork, self.finishPoke) = stream()
        (self.lossWork, self.lossPoke) = stream()
    }

    package var counts: Counts { self.state.withLock { $0.counts } }

    /// Handlers that have not returned.
    package var running: Int { self.state.withLock { $0.claiming.held.running } }

    /// For ``ExplainJob``.
    package func hands(of kind: JobKind) -> ExplainJob.Hands {
        self.state.withLock { state in
            ExplainJob.Hands(
                capacity: state.claiming.settings.capacity, running: state.claiming.held.running,
                ofKind: state.claiming.held.count(of: kind), handles: self.handlers[kind] != nil)
        }
    }

    /// Looks for jobs at once: somebody in this process knows of some.
    package func poke() {
        self.state.withLock { $0.claiming.rang() }
        self.claimPoke.yield()
    }
}

extension JobRunner: JobDesk {
    package func isHeld(_ title: JobTitle) -> Bool { self.right(of: title) != nil }

    package var isDraining: Bool {
        if self.state.withLock({ $0.stoppingSince != nil }) { return true }
        switch self.standing.standing() {
        case .serving, .stale: return false
        case .draining, .isolated, .sick, .outside: return true
        }
    }

    package func note(_ progress: JobProgress, of title: JobTitle) async -> Bool {
        guard let right = self.right(of: title) else { return false }
        do {
            let isHeld = try await self.store.note(progress, of: title, by: right)
            if !isHeld { self.lose([title], of: right) }
            return isHeld
        } catch {
            self.logger.debug(
                "progress was not noted", metadata: ["job.id": "\(title.job)", "error": "\(error)"])
            return false
        }
    }

    package func right(of title: JobTitle) -> NodeRight? {
        let incarnation = self.standing.standing().right?.incarnation
        return self.state.withLock { state in
            guard let right = state.right, right.incarnation == incarnation,
                state.claiming.held.isHeld(title, at: SteadyClock.now())
            else { return nil }
            return right
        }
    }
}
