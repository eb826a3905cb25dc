import ClusterPorts
import NIOPosix
import Synchronization

/// Threads for calls that block, with a bound on how many may wait for one.
final class BlockingCalls: Sendable {
    private let threads: NIOThreadPool
    private let limit: Int
    /// Running and waiting ones.
    private let count = Mutex(0)

    /// - Parameter waiting: how many calls may wait for a thread; one more fails with `hanging`.
    init(threads: Int, waiting: Int) {
        precondition(
            threads > 0 && waiting >= 0, "\(threads) threads and \(waiting) waiting calls make no sense")
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.limit = threads + waiting
        self.threads.start()
    }

    deinit { self.threads.shutdownGracefully { _ in } }

    /// Runs the calls on a thread of the pool.
    ///
    /// They run to their end, also when the task is cancelled.
    func run<Answer: Sendable>(
        _ calls: @escaping @Sendable () throws(VaultError) -> Answer
    ) async throws(VaultError) -> Answer {
        guard self.enter() else { throw .hanging("\(self.limit) calls are running or waiting already") }
        let result: Result<Answer, VaultError> = await withCheckedContinuation { continuation in
            self.threads.submit { state in
                guard state == .active else {
                    self.leave()
                    return continuation.resume(returning: .failure(.failed("the mount is being shut down")))
                }
                let result = Result(catching: calls)
                self.leave()
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }

    /// Runs the calls some time, nobody waits: for closing what was forgotten.
    ///
    /// Not counted, since each belongs to a descriptor, and those are bounded.
    func runLater(_ calls: @escaping @Sendable () -> Void) {
        self.threads.submit { _ in calls() }
    }

    /// Ends the threads after all that was asked for.
    func stop() async {
        await withCheckedContinuation { continuation in
            self.threads.shutdownGracefully { _ in continuation.resume() }
        }
    }

    private func enter() -> Bool {
        self.count.withLock { count in
            guard count < self.limit else { return false }
            count += 1
            return true
        }
    }

    private func leave() { self.count.withLock { $0 -= 1 } }
}
