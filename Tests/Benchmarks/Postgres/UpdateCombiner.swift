import PostgresDriver
import Synchronization

/// Combines the updates of many callers into few statements, without ever waiting for more to come.
///
/// Each `run` has one statement under way; what is asked for meanwhile goes with the next. A caller is
/// answered when its row is durable. The callers bound what waits: each has one update at a time.
final class UpdateCombiner: Sendable {
    private struct Update {
        let row: Int32
        let delta: Int32
        let caller: CheckedContinuation<PostgresError?, Never>
    }

    private struct State {
        var waiting: [Update] = []
        var idle: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
        var statements = 0
    }

    private let pool: PostgresPool
    private let batchMax: Int
    private let state = Mutex(State())

    init(pool: PostgresPool, batchMax: Int) {
        self.pool = pool
        self.batchMax = batchMax
    }

    var statementCount: Int { self.state.withLock { $0.statements } }

    /// Adds to the balance of one row, and waits until that is durable.
    func update(row: Int32, by delta: Int32) async throws(PostgresError) {
        let error: PostgresError? = await withCheckedContinuation { caller in
            let idle = self.state.withLock { state in
                state.waiting.append(Update(row: row, delta: delta, caller: caller))
                return state.idle.popLast()
            }
            idle?.resume()
        }
        if let error { throw error }
    }

    /// Sends one statement after the other until `close`.
    func run() async {
        while let batch = await self.next() {
            var failure: PostgresError?
            do throws(PostgresError) { try await self.send(batch) } catch { failure = error }
            for update in batch { update.caller.resume(returning: failure) }
        }
    }

    /// Ends each `run` once nothing waits.
    func close() {
        let idle = self.state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        for run in idle { run.resume() }
    }

    private func next() async -> [Update]? {
        while true {
            let (batch, isClosed) = self.take()
            if !batch.isEmpty { return batch }
            if isClosed { return nil }
            await withCheckedContinuation { run in
                let isNeeded = self.state.withLock { state in
                    guard state.waiting.isEmpty, !state.isClosed else { return true }
                    state.idle.append(run)
                    return false
                }
                if isNeeded { run.resume() }
            }
        }
    }

    private func take() -> (batch: [Update], isClosed: Bool) {
        self.state.withLock { state in
            let batch = Array(state.waiting.prefix(self.batchMax))
            state.waiting.removeFirst(batch.count)
            if !batch.isEmpty { state.statements += 1 }
            return (batch, state.isClosed)
        }
    }

    /// A row that two callers changed gets the sum; sorted, so that two statements lock in one order.
    private func send(_ batch: [Update]) async throws(PostgresError) {
        var sums: [Int32: Int32] = [:]
        for update in batch { sums[update.row, default: 0] += update.delta }
        let rows = sums.keys.sorted()
        let deltas = rows.map { sums[$0] ?? 0 }
        let answer = try await self.pool.query(
            """
            UPDATE pgbench_accounts AS a SET abalance = a.abalance + u.delta
            FROM unnest(\(rows), \(deltas)) AS u (aid, delta) WHERE a.aid = u.aid
            """)
        guard answer.affectedRows == rows.count else {
            throw .unreadable("\(answer.affectedRows) rows were updated where \(rows.count) were meant")
        }
    }
}
