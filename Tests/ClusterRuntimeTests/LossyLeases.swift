import ClusterModel
import ClusterPorts
import Synchronization

/// A store whose statements run and whose answers may be held back or lost.
final class LossyLeases: LeaseStore {
    private struct State {
        var losesAcquires = 0
        var losesEnds = 0
        var gate: AsyncStream<Void>?
    }

    private let inner: any LeaseStore
    private let state = Mutex(State())

    init(_ inner: any LeaseStore) { self.inner = inner }

    /// The answers of the next ones are lost after the statements ran.
    func lose(acquires: Int = 0, ends: Int = 0) {
        self.state.withLock {
            $0.losesAcquires = acquires
            $0.losesEnds = ends
        }
    }

    /// Acquires run when the returned continuation is finished.
    func hold() -> AsyncStream<Void>.Continuation {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.state.withLock { $0.gate = stream }
        return continuation
    }

    func acquire(_ requests: [LeaseRequest], by right: NodeRight) async throws(StoreError) -> [LeaseAnswer] {
        if let gate = self.state.withLock({ $0.gate }) { for await _ in gate {} }
        let answers = try await self.inner.acquire(requests, by: right)
        let isLost = self.state.withLock { state in
            state.losesAcquires -= 1
            return state.losesAcquires >= 0
        }
        if isLost { throw .mayHaveRun("the answer was lost") }
        return answers
    }

    /// Ends are not answered while it holds.
    let silence = Silence()

    func end(_ titles: [LeaseTitle], by right: NodeRight) async throws(StoreError) -> [Bool] {
        try await self.silence.pass()
        let answers = try await self.inner.end(titles, by: right)
        let isLost = self.state.withLock { state in
            state.losesEnds -= 1
            return state.losesEnds >= 0
        }
        if isLost { throw .mayHaveRun("the answer was lost") }
        return answers
    }

    func leases(of subjects: [LeaseSubject]) async throws(StoreError) -> [LeaseRecord] {
        try await self.inner.leases(of: subjects)
    }

    func leases(_ query: LeaseQuery) async throws(StoreError) -> [LeaseRecord] {
        try await self.inner.leases(query)
    }

    func forceEnd(_ title: LeaseTitle) async throws(StoreError) -> LeaseRecord? {
        try await self.inner.forceEnd(title)
    }

    func sweepDead(limit: Int, by right: NodeRight) async throws(StoreError) -> [LeaseRecord] {
        try await self.inner.sweepDead(limit: limit, by: right)
    }

    func deadlines(after epoch: Epoch?, limit: Int) async throws(StoreError) -> [LeaseRecord] {
        try await self.inner.deadlines(after: epoch, limit: limit)
    }

    func losses(of incarnation: Incarnation, after number: Int64) async throws(StoreError) -> [LeaseLoss] {
        try await self.inner.losses(of: incarnation, after: number)
    }

    func sweepOverdue(
        _ titles: [LeaseTitle], by right: NodeRight
    ) async throws(StoreError) -> [LeaseTitle] {
        try await self.inner.sweepOverdue(titles, by: right)
    }
}
