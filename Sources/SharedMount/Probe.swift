import ClusterPorts
import Synchronization

import class Foundation.Thread

/// One look at the mount on a thread of its own, which nobody can interrupt; there is one such thread at
/// most.
final class Probe: Sendable {
    private let isRunning = Mutex(false)

    /// Answers what `look` answers, or `hanging` after the deadline; then the thread stays behind.
    func run(
        within deadline: Duration, _ look: @escaping @Sendable () throws(VaultError) -> Void
    ) async throws(VaultError) {
        let isFirst = self.isRunning.withLock { isRunning in
            defer { isRunning = true }
            return !isRunning
        }
        guard isFirst else { throw .hanging("an earlier probe still waits for an answer") }
        let answer = FirstAnswer()
        Thread.detachNewThread {
            let result = Result(catching: look)
            self.isRunning.withLock { $0 = false }
            answer.give(result)
        }
        let result = await withTaskGroup(of: Result<Void, VaultError>?.self) { group in
            group.addTask { await answer.wait() }
            group.addTask {
                // A cancelled wait gives up as well: the thread must not hold the caller.
                try? await Task.sleep(for: deadline, clock: .continuous)
                answer.give(.failure(.hanging("a probe got no answer within \(deadline)")))
                return nil
            }
            var first: Result<Void, VaultError>?
            for await result in group {
                if let result { first = result }
                group.cancelAll()
            }
            return first
        }
        try result?.get()
    }
}

/// Hands the first of two answers to one waiter.
private final class FirstAnswer: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Result<Void, VaultError>, Never>)
        case given(Result<Void, VaultError>)
    }

    private let state = Mutex(State.empty)

    func give(_ answer: Result<Void, VaultError>) {
        let waiter: CheckedContinuation<Result<Void, VaultError>, Never>? = self.state.withLock { state in
            switch state {
            case .given: return nil
            case .empty:
                state = .given(answer)
                return nil
            case .waiting(let continuation):
                state = .given(answer)
                return continuation
            }
        }
        waiter?.resume(returning: answer)
    }

    func wait() async -> Result<Void, VaultError> {
        await withCheckedContinuation { continuation in
            let given: Result<Void, VaultError>? = self.state.withLock { state in
                if case .given(let answer) = state { return answer }
                state = .waiting(continuation)
                return nil
            }
            if let given { continuation.resume(returning: given) }
        }
    }
}
