import ClusterPorts
import Synchronization

/// Lets one call run while its caller goes on; whoever comes next waits for its end.
///
/// A call that failed is what everybody hears from then on.
final class WriteBehind: Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var isRunning = false
        var failure: VaultError?
        var waiting: [Waiter] = []
    }

    private let state = Mutex(State())

    /// Begins the work when what was begun before is done.
    func begin(
        on calls: BlockingCalls, _ work: @escaping @Sendable () throws(VaultError) -> Void
    ) async throws(VaultError) {
        while true {
            try await self.rest()
            let isMine = self.state.withLock { state in
                defer { state.isRunning = true }
                return !state.isRunning
            }
            if isMine { break }
        }
        do throws(VaultError) {
            try calls.start {
                var failure: VaultError?
                do throws(VaultError) { try work() } catch { failure = error }
                self.ended(failure)
            }
        } catch {
            // Refused before it began: that says nothing of the file.
            self.ended(nil)
            throw error
        }
    }

    /// Returns when nothing runs.
    func rest() async throws(VaultError) {
        await withCheckedContinuation { continuation in
            let isFree = self.state.withLock { state in
                if state.isRunning { state.waiting.append(continuation) }
                return !state.isRunning
            }
            if isFree { continuation.resume() }
        }
        if let failure = self.state.withLock({ $0.failure }) { throw failure }
    }

    private func ended(_ failure: VaultError?) {
        let waiting = self.state.withLock { state in
            state.isRunning = false
            state.failure = state.failure ?? failure
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
