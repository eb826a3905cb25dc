import ClusterModel
import ClusterPorts
import Synchronization

import struct Foundation.UUID

/// Runs the statements that ``DecisionBatcher`` puts together, and tells everybody their answer.
///
/// Called from tasks that are not cancelled (``Shelter``): a leader's statement carries others' decisions.
final class Decider: Sendable {
    private enum Turn: Sendable {
        case answered(Result<DecisionAnswer, StoreError>)
        case lead([DecisionBatcher.Entry])
        case refused
    }

    private struct State {
        var batcher: DecisionBatcher
        var waiting: [UUID: CheckedContinuation<Turn, Never>] = [:]
    }

    private let names: any NameStore
    private let state: Mutex<State>

    init(names: any NameStore, batch: Int, queue: Int) {
        self.names = names
        self.state = Mutex(State(batcher: DecisionBatcher(batch: batch, queue: queue)))
    }

    /// Nil when too many decisions wait already.
    func decide(
        _ publication: Publication, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer? {
        let entry = DecisionBatcher.Entry(publication: publication, right: right)
        let turn: Turn = await withCheckedContinuation { continuation in
            let now: Turn? = self.state.withLock { state in
                switch state.batcher.submitted(entry) {
                case .lead(let batch): return .lead(batch)
                case .refuse: return .refused
                case .wait:
                    state.waiting[entry.id] = continuation
                    return nil
                }
            }
            if let now { continuation.resume(returning: now) }
        }
        switch turn {
        case .answered(let answer): return try answer.get()
        case .refused: return nil
        case .lead(let batch): return try await self.lead(batch, for: entry.id).get()
        }
    }

    private func lead(
        _ batch: [DecisionBatcher.Entry], for leader: UUID
    ) async -> Result<DecisionAnswer, StoreError> {
        let answers = await self.run(batch)
        var resumed: [(CheckedContinuation<Turn, Never>, Turn)] = []
        self.state.withLock { state in
            for (entry, answer) in zip(batch, answers) where entry.id != leader {
                guard let continuation = state.waiting.removeValue(forKey: entry.id) else { continue }
                resumed.append((continuation, .answered(answer)))
            }
            if case .handOver(let next) = state.batcher.ended(), let first = next.first,
                let continuation = state.waiting.removeValue(forKey: first.id)
            {
                resumed.append((continuation, .lead(next)))
            }
        }
        for (continuation, turn) in resumed { continuation.resume(returning: turn) }
        for (entry, answer) in zip(batch, answers) where entry.id == leader { return answer }
        return .failure(.corrupt("the leader of a batch was not in it"))
    }

    private func run(_ batch: [DecisionBatcher.Entry]) async -> [Result<DecisionAnswer, StoreError>] {
        guard let right = batch.first?.right else { return [] }
        do throws(StoreError) {
            let answers = try await self.names.decide(batch.map(\.publication), by: right)
            guard answers.count == batch.count else {
                // The outcome of each must be read, as after a lost reply.
                throw .mayHaveRun("\(answers.count) answers came for \(batch.count) decisions")
            }
            return answers.map { .success($0) }
        } catch {
            return batch.map { _ in .failure(error) }
        }
    }
}
