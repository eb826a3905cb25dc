import ServiceLifecycle
import Synchronization

/// Opens once, after it was signalled a number of times, and stays open.
final class Gate: Sendable {
    private struct State {
        var missing: Int
        var waiting: [AsyncStream<Void>.Continuation] = []
    }

    private let state: Mutex<State>

    /// - Parameter signals: How many ``signal()`` it takes.
    init(signals: Int) { self.state = Mutex(State(missing: signals)) }

    func signal() {
        let waiting = self.state.withLock { state -> [AsyncStream<Void>.Continuation] in
            state.missing -= 1
            guard state.missing <= 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.finish() }
    }

    /// Returns when the gate is open, or when the task is cancelled.
    func wait() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let isOpen = self.state.withLock { state in
            if state.missing > 0 { state.waiting.append(continuation) }
            return state.missing <= 0
        }
        if isOpen { return }
        for await _ in stream {}
    }
}

/// A service that begins when a gate opens.
struct Gated<Inner: Service>: Service {
    private let inner: Inner
    private let gate: Gate

    init(_ inner: Inner, until gate: Gate) {
        self.inner = inner
        self.gate = gate
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.gate.wait() }
        guard !Task.isCancelled, !Task.isShuttingDownGracefully else { return }
        try await self.inner.run()
    }
}
