import DequeModule
import ServiceLifecycle
import Synchronization

/// Performs what must not be cut off halfway when its client goes away.
///
/// A request's task is cancelled with its connection; work given here runs in a task of ``run()`` instead, which
/// ends only when all of it is done.
package final class Shelter: Sendable {
    private typealias Work = @Sendable () async -> Void

    private struct State {
        package var isOpen = false
        /// Given and not yet done.
        package var inside = 0
        package var given: Deque<Work> = []
    }

    private let state = Mutex(State())
    private let limit: Int
    private let arrived: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation

    package init(limit: Int) {
        self.limit = limit
        (self.arrived, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package var isOpen: Bool { self.state.withLock { $0.isOpen } }

    /// Waits for the work's answer, also when the calling task is cancelled.
    package func perform<Value: Sendable>(
        _ work: @escaping @Sendable () async -> Value
    ) async throws(FileServiceError) -> Value {
        let answer: Result<Value, FileServiceError> = await withCheckedContinuation { continuation in
            let refusal: FileServiceError? = self.state.withLock { state in
                guard state.isOpen else {
                    return .notServing(reason: "this node is stopping", retryAfterSeconds: 1)
                }
                guard state.inside < self.limit else { return .tooBusy(retryAfterSeconds: 1) }
                state.inside += 1
                state.given.append {
                    let value = await work()
                    self.state.withLock { $0.inside -= 1 }
                    continuation.resume(returning: .success(value))
                }
                return nil
            }
            if let refusal { continuation.resume(returning: .failure(refusal)) } else { self.arrival.yield() }
        }
        return try answer.get()
    }

    /// Begins work whose answer somebody may wait for in another way, or nobody.
    package func start(_ work: @escaping @Sendable () async -> Void) throws(FileServiceError) {
        let refusal: FileServiceError? = self.state.withLock { state in
            guard state.isOpen else {
                return .notServing(reason: "this node is stopping", retryAfterSeconds: 1)
            }
            guard state.inside < self.limit else { return .tooBusy(retryAfterSeconds: 1) }
            state.inside += 1
            state.given.append {
                await work()
                self.state.withLock { $0.inside -= 1 }
            }
            return nil
        }
        if let refusal { throw refusal }
        self.arrival.yield()
    }

    /// Opens; on graceful shutdown closes and ends when nothing is inside any more.
    package func run() async {
        self.state.withLock { $0.isOpen = true }
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await _ in self.arrived {
                    for work in self.take(closing: false) { group.addTask { await work() } }
                }
                for work in self.take(closing: true) { group.addTask { await work() } }
            }
        } onCancelOrGracefulShutdown: {
            self.arrival.finish()
        }
    }

    private func take(closing: Bool) -> Deque<Work> {
        self.state.withLock { state in
            if closing { state.isOpen = false }
            let given = state.given
            state.given = []
            return given
        }
    }
}
