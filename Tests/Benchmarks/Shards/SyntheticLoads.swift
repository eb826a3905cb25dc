import ClusterModel
import ClusterPorts
import Synchronization

/// What each shard really weighs, in units of work a second; everybody of the benchmark shares it.
final class SyntheticLoads: Sendable {
    private struct State {
        var dice: SplitMix
        var loads: [Double]
    }

    private let state: Mutex<State>

    /// The k-th largest of 256 weighs 1/k of the largest, and a little that is the same for all; 1,000 in all.
    init(seed: UInt64, part: Double = 0.02) {
        var dice = SplitMix(seed: seed)
        let raw = (1...ShardNumber.count).map { part + (1 - part) / Double($0) }
        let sum = raw.reduce(0, +)
        let loads = raw.map { $0 / sum * 1_000 }.shuffled(using: &dice)
        self.state = Mutex(State(dice: dice, loads: loads))
    }

    var now: [Double] { self.state.withLock { $0.loads } }

    /// A tenth of the shards is swapped with others.
    func shift() {
        self.state.withLock { state in
            for _ in 0..<13 {
                let one = Int.random(in: 0..<ShardNumber.count, using: &state.dice)
                let other = Int.random(in: 0..<ShardNumber.count, using: &state.dice)
                state.loads.swapAt(one, other)
            }
        }
    }

    /// What a node measures of a shard: off by up to a fifth.
    func measured(_ number: ShardNumber) -> Double {
        self.state.withLock { state in
            let error = Double.random(in: 0.8...1.2, using: &state.dice)
            return state.loads[Int(number.rawValue)] * error
        }
    }
}

/// Standing work that does nothing but weigh what it should.
final class SyntheticWork: StandingWork {
    let name = "synthetic"
    private let loads: SyntheticLoads
    private let rest: Duration
    /// The last round of each title.
    private let worked = Mutex<[ShardTitle: ContinuousClock.Instant]>([:])

    init(_ loads: SyntheticLoads, rest: Duration) {
        self.loads = loads
        self.rest = rest
    }

    func calls() -> AsyncStream<Void> { AsyncStream { _ in } }

    func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        let now = ContinuousClock.now
        let before = self.worked.withLock { worked in
            defer { worked = Dictionary(shards.map { ($0, now) }) { first, _ in first } }
            return worked
        }
        var round = StandingRound(rest: self.rest)
        for shard in shards {
            guard let last = before[shard] else { continue }
            round.done[shard.number] =
                self.loads.measured(shard.number) * (last.duration(to: now) / .seconds(1))
        }
        return round
    }
}
