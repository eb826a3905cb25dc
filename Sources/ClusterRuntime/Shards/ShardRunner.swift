package import ClusterModel
package import ClusterPorts
package import Coordinator
package import Logging
import Synchronization

/// Owns shards for one node and has their standing work done: what ``ShardKeeper``, ``ShardReadings``, ``ShardLoads`` and
/// ``StandingCourse`` decide.
///
/// ``run()`` has one statement about shards in flight, and one round of each kind of work. How it fails: a store that
/// does not answer is asked again each second; what the node held is dropped when it is isolated, and taken again by
/// a new epoch when it is back.
///
/// Works must heed their cancellation: one that does not is given no other round, and keeps the node from stopping,
/// although its shards are released by then.
package final class ShardRunner: Sendable {
    struct State {
        /// Of the newest incarnation that is known; nil when it is dead.
        var right: NodeRight?
        var newest: Incarnation?
        /// Nil until the first incarnation.
        var keeper: ShardKeeper?
        var isIsolated = false
        var readings: ShardReadings
        var loads: ShardLoads
        var reportAt: ClusterInstant = .zero
        /// What the rows said of loads when they were read last.
        var knownLoads: [ShardNumber: Double] = [:]
        var living: Set<Incarnation> = []
        var viewVersion: Int64?
        var news: Int64?
        var takes: [ShardTaking] = []
        var releases: [ShardTitle] = []
        /// One for each work, in their order.
        var courses: [StandingCourse]
        /// Of the rounds in flight: one element cancels the round.
        var cuts: [AsyncStream<Void>.Continuation?]
        var stoppingSince: ClusterInstant?
        var counts = Counts()
    }

    /// Since the start of the process.
    package struct Counts: Sendable, Equatable {
        package var reads = 0
        package var takings = 0
        package var taken = 0
        package var released = 0
        package var cut = 0
        package var reports = 0
        package var rounds = 0
        /// Titles that turned out to be lost.
        package var lost = 0

        package init() {}
    }

    package struct Settings: Sendable, Equatable {
        package var rules = ShardRules.standard
        /// Rounds of a stopping node go on for so long, and are cancelled then.
        package var stopGrace: Duration = .seconds(3)
        /// For the last statement; whatever is in flight after both is left alone, and the node's departure frees its
        /// shards.
        package var stopFlush: Duration = .seconds(2)

        package init() {}
    }

    let store: any ShardStore
    let standing: any NodeStanding
    let works: [any StandingWork]
    let settings: Settings
    let logger: Logger
    let state: Mutex<State>
    /// Rings when this very process has changed who should have what.
    let assigned: Bell
    let turns: AsyncStream<Void>
    let turn: AsyncStream<Void>.Continuation
    /// One for each work.
    let roundPokes: [(stream: AsyncStream<Void>, poke: AsyncStream<Void>.Continuation)]

    /// - Parameters:
    ///   - works: What is done for the shards.
    ///   - assigned: ``ShardPlanner/assigned`` of the same node.
    package init(
        store: any ShardStore, standing: any NodeStanding, works: [any StandingWork], assigned: Bell = Bell(),
        settings: Settings = Settings(), logger: Logger
    ) {
        self.store = store
        self.standing = standing
        self.works = works
        self.assigned = assigned
        self.settings = settings
        self.logger = logger
        func stream() -> (stream: AsyncStream<Void>, poke: AsyncStream<Void>.Continuation) {
            let (stream, poke) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            return (stream, poke)
        }
        (self.turns, self.turn) = stream()
        self.roundPokes = works.map { _ in stream() }
        self.state = Mutex(
            State(
                readings: ShardReadings(rules: settings.rules), loads: ShardLoads(rules: settings.rules),
                courses: works.map { _ in StandingCourse() }, cuts: works.map { _ in nil }))
    }

    package var counts: Counts { self.state.withLock { $0.counts } }

    /// The shards that it acts for, by number.
    package var acting: [ShardTitle] { self.state.withLock { $0.keeper?.acting ?? [] } }

    // MARK: Changing the state

    /// Every change of the state goes through here: its orders become statements to send, rounds to cut and to begin.
    func change(_ body: (inout State, ClusterInstant) -> [ShardOrder]) {
        let (cuts, due) = self.state.withLock { state in
            let now = SteadyClock.now()
            let orders = body(&state, now)
            return (Self.carry(orders, &state, at: now), Self.dueRounds(state, at: now))
        }
        for cut in cuts { cut.yield() }
        for index in due { self.roundPokes[index].poke.yield() }
        self.turn.yield()
    }

    /// Works whose next round could begin.
    private static func dueRounds(_ state: State, at now: ClusterInstant) -> [Int] {
        guard state.right != nil, state.keeper?.acting.isEmpty == false else { return [] }
        return state.courses.indices.filter { index in state.courses[index].wakeAt.map { $0 <= now } ?? false
        }
    }

    /// Answers which rounds are to be cancelled.
    private static func carry(
        _ orders: [ShardOrder], _ state: inout State, at now: ClusterInstant
    ) -> [AsyncStream<Void>.Continuation] {
        var cuts: [AsyncStream<Void>.Continuation] = []
        var waiting = orders
        while true {
            for order in waiting { cuts += Self.carry(order, &state, at: now) }
            // A hand-off waits for rounds in flight, and for nothing else.
            waiting = (state.keeper?.ending ?? []).filter { title in
                !state.courses.contains { $0.inFlight?.contains(title) ?? false }
            }.flatMap { state.keeper?.ended($0) ?? [] }
            if waiting.isEmpty { return cuts }
        }
    }

    private static func carry(
        _ order: ShardOrder, _ state: inout State, at now: ClusterInstant
    ) -> [AsyncStream<Void>.Continuation] {
        switch order {
        case .take(let number, let epoch): state.takes.append(ShardTaking(number: number, after: epoch))
        case .release(let title): state.releases.append(title)
        case .begin(let title):
            state.loads.begin(title, known: state.knownLoads[title.number] ?? 0, at: now)
            for index in state.courses.indices { state.courses[index].call() }
        case .end(let title): state.loads.end(title)
        case .cut(let title):
            state.loads.end(title)
            state.counts.cut += 1
            return state.courses.indices.compactMap { index in
                state.courses[index].inFlight?.contains(title) ?? false ? state.cuts[index] : nil
            }
        }
        return []
    }
}

extension ShardRunner: ShardDesk {
    package func holds(_ title: ShardTitle) -> Bool {
        guard let right = self.standing.standing().right else { return false }
        return self.state.withLock { state in
            state.right?.incarnation == right.incarnation && state.keeper?.holds(title) ?? false
        }
    }

    package func lost(_ title: ShardTitle) {
        self.change { state, now in
            // The round knows, and does the rest of its shards.
            guard let orders = state.keeper?.lost(title), !orders.isEmpty else { return [] }
            state.loads.end(title)
            state.counts.lost += 1
            state.readings.want()
            return []
        }
    }
}
