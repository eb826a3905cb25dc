import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import Synchronization

/// Rounds of standing work, one of each kind at a time.
extension ShardRunner {
    private struct Round {
        var shards: [ShardTitle]
        var right: NodeRight
        /// One element cancels it.
        var cut: AsyncStream<Void>
    }

    func attend(_ index: Int) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in self.works[index].calls() { self.call(index) }
            }
            await self.goRounds(index, &group)
            group.cancelAll()
        }
    }

    private func call(_ index: Int) {
        self.state.withLock { $0.courses[index].call() }
        self.roundPokes[index].poke.yield()
    }

    private func goRounds(_ index: Int, _ group: inout DiscardingTaskGroup) async {
        let (pokes, poke) = self.roundPokes[index]
        var alarm = Alarm()
        for await _ in pokes {
            if Task.isCancelled { return }
            if let round = self.begin(index) {
                let result = await Self.go(round, of: self.works[index], self)
                self.ended(index, result)
            }
            // What is due and could not begin is poked when that changes.
            guard let wakeAt = self.state.withLock({ $0.courses[index].wakeAt }), wakeAt > SteadyClock.now()
            else { continue }
            alarm.set(wakeAt, in: &group, poke)
        }
    }

    /// Nil when it is too early, or there is nothing to act for.
    private func begin(_ index: Int) -> Round? {
        switch self.standing.standing() {
        case .serving, .draining: break
        case .outside, .stale, .isolated, .sick: return nil
        }
        return self.state.withLock { state in
            guard let right = state.right, let shards = state.keeper?.acting,
                state.courses[index].begin(shards, at: SteadyClock.now())
            else { return nil }
            let (cut, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            state.cuts[index] = signal
            state.counts.rounds += 1
            return Round(shards: shards, right: right, cut: cut)
        }
    }

    /// Nil when it was cut before it ended.
    private static func go(
        _ round: Round, of work: any StandingWork, _ desk: any ShardDesk
    ) async -> StandingRound? {
        await withTaskGroup(of: StandingRound?.self) { group in
            group.addTask { await work.round(round.shards, by: round.right, desk) }
            group.addTask {
                for await _ in round.cut { break }
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }

    private func ended(_ index: Int, _ result: StandingRound?) {
        self.change { state, now in
            for (number, units) in result?.done ?? [:] { state.loads.done(units, of: number) }
            state.cuts[index] = nil
            state.courses[index].ended(rest: result?.rest ?? .zero, at: now)
            return []
        }
    }
}
