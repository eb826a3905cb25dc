import ClusterModel
import Coordinator

/// One process of a node: the runtime as the simulation has it.
///
/// It does what `ClusterRuntime` does, with the same deciding code, in the same order; where the runtime
/// waits, this returns and goes on in an answer.
final class NodeProcess {
    /// Where the process is in the life of an incarnation.
    enum Phase {
        /// Draws an incarnation, opens its lines, takes a slot. Goes to `living` or ends the process.
        case joining
        /// Beats. Goes to `joining` as a new incarnation.
        case living
        /// Says good-bye. Goes nowhere.
        case leaving
    }

    let number: Int32
    /// The world keeps its hosts and processes for as long as it is there itself.
    unowned(unsafe) let host: Host
    unowned(unsafe) let world: World
    let stage: Stage
    /// The newest schema that this program knows.
    let schema: Int
    @exclusivity(unchecked) var isGone = false
    @exclusivity(unchecked) var phase: Phase = .joining
    /// When it heard that it had joined; it cannot beat before, though the others may watch it stand still.
    var livingSince: Int64 = 0
    /// Counts the incarnations of this process: what was asked for one is nothing to the next.
    @exclusivity(unchecked) var life = 0
    var everJoined = false
    var incarnation: Incarnation?
    @exclusivity(unchecked) var right: NodeRight?
    @exclusivity(unchecked) var coordinator: Coordinator?
    @exclusivity(unchecked) var beating = Line()
    @exclusivity(unchecked) var holding = Line()
    @exclusivity(unchecked) var board = Board()
    /// The answer that is on its way to the node.
    @exclusivity(unchecked) var news: HeartbeatNews?
    /// Inputs that wait while an effect is being performed.
    @exclusivity(unchecked) var inputs: [(Coordinator.Input, ClusterInstant)] = []
    /// What came of the effects of the input that is being performed.
    @exclusivity(unchecked) var followUps: [(Coordinator.Input, ClusterInstant)] = []
    @exclusivity(unchecked) var isPerforming = false
    var joiner = JoinerState()
    @exclusivity(unchecked) var claimer: Claimer?
    @exclusivity(unchecked) var worker: Worker?
    var shards: ShardHand?
    var writer = Writer()
    var recovery = RecoveryState()
    @exclusivity(unchecked) var lots: SeededRandom

    init(number: Int32, host: Host) {
        self.number = number
        self.host = host
        self.world = host.world
        self.stage = host.world.stage
        self.schema = host.schema
        self.lots = host.world.nodeLots.stream(UInt64(number) &+ 1_000)
    }

    var times: MembershipTimes { self.world.settings.times }
    var twin: Twin? { self.world.settings.twin }

    /// What the node's own clock shows.
    var now: ClusterInstant { self.host.clock.instant(at: self.stage.now) }

    /// Goes on after so much time of the own clock, as the same incarnation.
    func after(_ length: Duration, _ body: @escaping () -> Void) {
        let life = self.life
        let length = self.host.clock.trueLength(of: length.wholeNanoseconds)
        self.stage.at(self.stage.now + length, in: self) { [unowned(unsafe) self] in
            guard !self.isGone, self.life == life else { return }
            body()
        }
    }

    /// A moment between two steps of the same thread, in which a pause may come.
    func breathe(_ body: @escaping () -> Void) {
        self.after(.nanoseconds(self.lots.between(1_000, 50_000)), body)
    }

    // MARK: Asking the database

    /// Runs a statement over the pool.
    ///
    /// `mayHaveRun`: nobody knows (R2).
    func ask<Kind: Statement>(
        _ statement: Kind, then: @escaping (Result<Kind, Trouble>) -> Void
    ) {
        let life = self.life
        let answer = Answer()
        let settle: (Result<Kind, Trouble>) -> Void = { [unowned(unsafe) self] result in
            guard !answer.came, !self.isGone, self.life == life else { return }
            answer.came = true
            if case .failure(.mayHaveRun) = result { self.stage.coverage.count(.outcomeUnknown) }
            then(result)
        }
        if statement is RightfulStatement { self.host.committing() }
        if self.host.isUndisturbed, self.host.pausedSince == nil, !self.world.server.takesApart() {
            return self.submitNow(statement, settle)
        }
        self.breathe { [unowned(unsafe) self] in
            let host = self.host
            switch self.stage.passage(host, isRequest: true) {
            case .arrives(let at): self.submit(statement, at: at, settle)
            case .late(let at):
                self.submit(statement, at: at, settle)
                self.giveUp(settle)
            case .lost: self.giveUp(settle)
            }
        }
    }

    private final class Answer { var came = false }

    /// The client gives a silent server 5 s.
    private func giveUp<Kind: Statement>(_ settle: @escaping (Result<Kind, Trouble>) -> Void) {
        self.stage.at(self.stage.now + 5 * Span.second, in: self) { settle(.failure(.mayHaveRun)) }
    }

    private func submit<Kind: Statement>(
        _ statement: Kind, at: Int64, _ settle: @escaping (Result<Kind, Trouble>) -> Void
    ) {
        self.stage.at(at) { [unowned(unsafe) self] in self.submitNow(statement, settle) }
    }

    private func submitNow<Kind: Statement>(
        _ statement: Kind, _ settle: @escaping (Result<Kind, Trouble>) -> Void
    ) {
        guard self.world.server.isUp else { return self.deliver(.failure(.notRun), settle) }
        self.world.server.submit(statement, from: self.host) { [unowned(unsafe) self] trouble in
            self.deliver(trouble.map { .failure($0) } ?? .success(statement), settle)
        }
    }

    private func deliver<Kind: Statement>(
        _ result: Result<Kind, Trouble>, _ settle: @escaping (Result<Kind, Trouble>) -> Void
    ) {
        switch self.stage.passage(self.host, isRequest: false) {
        case .arrives(let at): self.stage.at(at, in: self) { settle(result) }
        case .late, .lost:
            if case .success = result { self.stage.coverage.count(.unknownHadHappened) }
            self.giveUp(settle)
        }
    }
}

/// What hangs out for the rest of the node to read; see `StandingBoard`.
struct Board {
    var knowledge: StandingRule.Knowledge?
    var sweepDue = false
    var mountTrouble: String?

    func standing(at now: ClusterInstant, times: MembershipTimes) -> Standing {
        var knowledge = self.knowledge
        knowledge?.mountTrouble = self.mountTrouble
        return StandingRule.standing(knowledge, at: now, times: times)
    }
}

extension NodeProcess {
    func standing() -> Standing { self.board.standing(at: self.now, times: self.times) }

    /// The right to act for this incarnation at this moment.
    func workingRight() -> NodeRight? { self.standing().right }
}
