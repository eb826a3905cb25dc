import ClusterPorts
import Synchronization

/// Threads for calls that block, with a bound on how many may wait for one.
final class BlockingCalls: Sendable {
    private let threads: CallThreads
    private let limit: Int
    /// Running and waiting ones.
    private let count = Mutex(0)

    /// - Parameter waiting: how many calls may wait for a thread; one more fails with `hanging`.
    init(threads: Int, waiting: Int) {
        precondition(
            threads > 0 && waiting >= 0, "\(threads) threads and \(waiting) waiting calls make no sense")
        self.threads = CallThreads(name: "mount", limit: threads)
        self.limit = threads + waiting
    }

    deinit { self.threads.stop {} }

    /// Runs the calls on a thread of the pool.
    ///
    /// They run to their end, also when the task is cancelled.
    func run<Answer: Sendable>(
        _ calls: @escaping @Sendable () throws(VaultError) -> Answer
    ) async throws(VaultError) -> Answer {
        try self.enter()
        let result: Result<Answer, VaultError> = await withCheckedContinuation { continuation in
            let isGiven = self.threads.give {
                let result = Result(catching: calls)
                self.leave()
                continuation.resume(returning: result)
            }
            guard !isGiven else { return }
            self.leave()
            continuation.resume(returning: .failure(Self.ended))
        }
        return try result.get()
    }

    /// Begins the calls and does not wait for them; they say themselves what became of them.
    func start(_ calls: @escaping @Sendable () -> Void) throws(VaultError) {
        try self.enter()
        let isGiven = self.threads.give {
            calls()
            self.leave()
        }
        guard !isGiven else { return }
        self.leave()
        throw Self.ended
    }

    /// Runs the calls some time, nobody waits: for closing what was forgotten.
    ///
    /// Not counted, since each belongs to a descriptor, and those are bounded.
    func runLater(_ calls: @escaping @Sendable () -> Void) {
        // With the threads ended, the node ends: here is as good as there.
        if !self.threads.give(calls) { calls() }
    }

    /// Ends the threads after all that was asked for.
    func stop() async {
        await withCheckedContinuation { continuation in
            self.threads.stop { continuation.resume() }
        }
    }

    private static let ended = VaultError.failed("the mount is being shut down")

    private func enter() throws(VaultError) {
        let isLet = self.count.withLock { count in
            guard count < self.limit else { return false }
            count += 1
            return true
        }
        guard isLet else { throw .hanging("\(self.limit) calls are running or waiting already") }
    }

    private func leave() { self.count.withLock { $0 -= 1 } }
}
