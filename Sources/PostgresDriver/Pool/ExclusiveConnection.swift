import DequeModule
import ReadinessLoop

extension PostgresPool {
    /// Lends a fresh connection with the pool's settings, and closes it afterwards.
    ///
    /// A connection of its own, so that nothing it leaves behind can reach others: settings, locks, temporary
    /// tables. At most `exclusiveConnections` are open at a time; further callers wait in order.
    ///
    /// - Parameter deadline: for waiting and connecting; what `body` does has its own.
    package func withExclusiveConnection<Answer: Sendable>(
        deadline: Duration? = nil, _ body: (PostgresConnection) async throws -> Answer
    ) async throws -> Answer {
        let limit = deadline ?? self.configuration.deadline
        let due = ContinuousClock.now.advanced(by: limit)
        try await self.exclusives.enter(within: limit)
        defer { self.exclusives.leave() }
        let connection = try await PostgresConnection.connect(
            self.configuration.server, deadline: self.configuration.deadline,
            within: ContinuousClock.now.duration(to: due), loop: self.loop, logger: self.logger)
        do {
            let answer = try await body(connection)
            await connection.close()
            return answer
        } catch {
            await connection.close()
            throw error
        }
    }
}

/// Counts the exclusive connections of a pool; who finds none free waits in order, for a bounded time.
final class ExclusivePlaces: @unchecked Sendable {
    private static let waitingLimit = 1000

    private final class Waiter: @unchecked Sendable {
        var continuation: CheckedContinuation<PostgresError?, Never>?
        var isCancelled = false
        var timer: LoopTimer?

        func finish(_ error: PostgresError?) {
            self.timer?.cancel()
            self.timer = nil
            self.continuation?.resume(returning: error)
            self.continuation = nil
        }
    }

    private let loop: ReadinessLoop
    private let limit: Int
    private var taken = 0
    private var waiting: Deque<Waiter> = []

    init(limit: Int, loop: ReadinessLoop) {
        self.limit = limit
        self.loop = loop
    }

    func enter(within limit: Duration) async throws(PostgresError) {
        let waiter = Waiter()
        let error: PostgresError? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isRunning = self.loop.execute {
                    waiter.continuation = continuation
                    self.take(for: waiter, within: limit)
                }
                if !isRunning { continuation.resume(returning: .didNotRun(.closed)) }
            }
        } onCancel: {
            self.loop.execute { self.giveUp(waiter, .cancelled) }
        }
        if let error { throw error }
    }

    func leave() {
        self.loop.execute {
            self.taken -= 1
            guard let next = self.waiting.popFirst() else { return }
            self.taken += 1
            next.finish(nil)
        }
    }

    private func take(for waiter: Waiter, within limit: Duration) {
        if waiter.isCancelled { return waiter.finish(.didNotRun(.cancelled)) }
        if self.taken < self.limit {
            self.taken += 1
            return waiter.finish(nil)
        }
        guard self.waiting.count < Self.waitingLimit else { return waiter.finish(.didNotRun(.queueFull)) }
        self.waiting.append(waiter)
        waiter.timer = self.loop.schedule(after: limit) { [weak self, weak waiter] in
            guard let waiter else { return }
            self?.giveUp(waiter, .deadline(nil))
        }
    }

    /// A waiter that has its place already keeps it: its task finds out by itself.
    private func giveUp(_ waiter: Waiter, _ reason: PostgresError.NotRunReason) {
        waiter.isCancelled = true
        guard let index = self.waiting.firstIndex(where: { $0 === waiter }) else { return }
        self.waiting.remove(at: index)
        waiter.finish(.didNotRun(reason))
    }
}
