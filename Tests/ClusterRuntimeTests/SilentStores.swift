import ClusterModel
import ClusterPorts
import ClusterTestKit
import Synchronization

/// A database that does not answer any more, until whoever waits goes.
final class Silence: Sendable {
    private let holds = Mutex(false)
    private let waiting = Mutex(0)

    /// Statements that wait, or have waited, for an answer.
    var asked: Int { self.waiting.withLock { $0 } }

    func begin() { self.holds.withLock { $0 = true } }

    func pass() async throws(StoreError) {
        guard self.holds.withLock({ $0 }) else { return }
        self.waiting.withLock { $0 += 1 }
        // Longer than any test waits for a stop.
        try? await eventually("an answer", within: .seconds(20)) { false }
        throw .mayHaveRun("no answer came")
    }
}

/// Shards whose store falls silent.
struct SilentShards: ShardStore {
    let inner: any ShardStore
    let silence = Silence()

    func shards() async throws(StoreError) -> [ShardRecord] {
        try await self.silence.pass()
        return try await self.inner.shards()
    }
    func shards(
        of incarnation: Incarnation, and numbers: [ShardNumber]
    ) async throws(StoreError) -> [ShardRecord] {
        try await self.silence.pass()
        return try await self.inner.shards(of: incarnation, and: numbers)
    }
    func assign(_ moves: [ShardMove], by leader: LeaderRight) async throws(StoreError) -> [ShardNumber] {
        try await self.silence.pass()
        return try await self.inner.assign(moves, by: leader)
    }
    func take(_ shards: [ShardTaking], by right: NodeRight) async throws(StoreError) -> [ShardTitle] {
        try await self.silence.pass()
        return try await self.inner.take(shards, by: right)
    }
    func release(_ titles: [ShardTitle], by right: NodeRight) async throws(StoreError) -> [ShardTitle] {
        try await self.silence.pass()
        return try await self.inner.release(titles, by: right)
    }
    func report(_ loads: [ShardLoadReport], by right: NodeRight) async throws(StoreError) -> [ShardTitle] {
        try await self.silence.pass()
        return try await self.inner.report(loads, by: right)
    }
    func pin(_ number: ShardNumber, to node: NodeName?) async throws(StoreError) {
        try await self.inner.pin(number, to: node)
    }
    func move(
        _ number: ShardNumber, to target: Incarnation, reason: String
    ) async throws(StoreError) -> Bool {
        try await self.inner.move(number, to: target, reason: reason)
    }
}
