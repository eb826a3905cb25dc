import ClusterModel
import ClusterPorts
import Foundation
import Synchronization

/// Names whose node can die, and whose replies can be lost.
struct GatedNames: NameStore {
    let inner: any NameStore
    let gate: Gate

    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        try self.gate.passStore(.beforeDecide)
        let answers = try await self.inner.decide(publications, by: right)
        try self.lose(.afterDecide)
        return answers
    }
    func reserve(
        _ names: [HomePath], for operation: ClusterPorts.Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try self.gate.passStore(.beforeReserve)
        let answer = try await self.inner.reserve(names, for: operation, by: right)
        try self.lose(.afterReserve)
        return answer
    }
    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: ClusterPorts.Operation,
        by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try self.gate.passStore(.beforeDecide)
        let answer = try await self.inner.decide(
            change, costing: cost, of: operation, by: right)
        try self.lose(.afterDecide)
        return answer
    }
    func abandon(
        _ operation: ClusterPorts.Operation, of incarnation: Incarnation
    ) async throws(StoreError) {
        try self.gate.passStore()
        try await self.inner.abandon(operation, of: incarnation)
    }
    func mark(
        folders: [HomePath], for operation: ClusterPorts.Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try self.gate.passStore()
        return try await self.inner.mark(folders: folders, for: operation, by: right)
    }
    func release(
        folders: [HomePath], of operation: ClusterPorts.Operation, by right: NodeRight
    ) async throws(StoreError) {
        try self.gate.passStore()
        try await self.inner.release(folders: folders, of: operation, by: right)
    }
    func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName? {
        try self.gate.passStore()
        return try await self.inner.unfinished(account: account, path: path)
    }
    func unfinished(
        account: AccountID, below folder: HomePath, limit: Int
    ) async throws(StoreError) -> [UnfinishedName] {
        try self.gate.passStore()
        return try await self.inner.unfinished(account: account, below: folder, limit: limit)
    }
    func unfinished(of incarnation: Incarnation, limit: Int) async throws(StoreError) -> [UnfinishedName] {
        try self.gate.passStore()
        return try await self.inner.unfinished(of: incarnation, limit: limit)
    }
    func abandonAll(of departed: Incarnation) async throws(StoreError) -> Int {
        try self.gate.passStore()
        return try await self.inner.abandonAll(of: departed)
    }
    func finish(_ finished: [FinishedOperation]) async throws(StoreError) -> Set<UUID> {
        try self.gate.passStore(.beforeFinish)
        let removed = try await self.inner.finish(finished)
        try self.gate.passStore(.afterFinish)
        return removed
    }

    private func lose(_ step: Step) throws(StoreError) {
        if self.gate.stops(step) { throw .mayHaveRun("the reply was lost at \(step.rawValue)") }
    }
}

/// A transfer log whose node can die.
struct GatedTransfers: TransferStore {
    let inner: any TransferStore
    let gate: Gate

    func record(_ records: [TransferRecord], by right: NodeRight) async throws(StoreError) {
        try self.gate.passStore()
        try await self.inner.record(records, by: right)
    }
    func endRunning(of departed: Incarnation, reason: String) async throws(StoreError) -> Int {
        try self.gate.passStore()
        return try await self.inner.endRunning(of: departed, reason: reason)
    }
    func unlist(_ ids: [UUID]) async throws(StoreError) {
        try self.gate.passStore()
        try await self.inner.unlist(ids)
    }
    func transfer(id: UUID) async throws(StoreError) -> TransferRecord? {
        try self.gate.passStore()
        return try await self.inner.transfer(id: id)
    }
    func transfers(_ query: TransferQuery) async throws(StoreError) -> [TransferRecord] {
        try await self.inner.transfers(query)
    }
}

/// Loses one reply of a decision, after it was carried out or instead of it; the node lives on.
///
/// Then nobody can read the row for a while.
final class ForgetfulNames: ForwardingNames {
    let inner: any NameStore
    private let carriesOut: Bool
    private let silence: Duration
    private let silentUntil = Mutex<ContinuousClock.Instant?>(nil)
    private let gate = Gate(stopsAt: .afterDecide)

    init(_ inner: any NameStore, carriesOut: Bool, silentFor silence: Duration = .zero) {
        self.inner = inner
        self.carriesOut = carriesOut
        self.silence = silence
    }

    private func losesNow() -> Bool { !self.gate.isClosed && self.gate.stops(.afterDecide) }

    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        guard self.losesNow() else { return try await self.inner.decide(publications, by: right) }
        if self.carriesOut { _ = try await self.inner.decide(publications, by: right) }
        self.silentUntil.withLock { $0 = .now + self.silence }
        throw .mayHaveRun("lost")
    }
    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: ClusterPorts.Operation,
        by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        guard self.losesNow() else {
            return try await self.inner.decide(
                change, costing: cost, of: operation, by: right)
        }
        if self.carriesOut {
            _ = try await self.inner.decide(
                change, costing: cost, of: operation, by: right)
        }
        throw .mayHaveRun("lost")
    }
    func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName? {
        if let until = self.silentUntil.withLock({ $0 }), until > .now { throw .notRun("silent") }
        return try await self.inner.unfinished(account: account, path: path)
    }
}
