import NIOCore
import Synchronization

/// Whether the client of a connection is still there; an answer that may be silent for long asks.
///
/// A client that sends no more counts as gone: one that only half-closes is not told from one that died.
package final class ClientPresence: Sendable {
    private struct State {
        var isGone = false
        var waiting: [Int: AsyncStream<Void>.Continuation] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var isGone: Bool { self.state.withLock { $0.isGone } }

    package func left() {
        let waiting = self.state.withLock { state in
            state.isGone = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.finish() }
    }

    /// Returns after that time, or as soon as the client is gone or the task is cancelled.
    package func pause(_ time: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: time) }
            group.addTask { await self.wait() }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let number = self.state.withLock { state -> Int? in
            guard !state.isGone else { return nil }
            state.next += 1
            state.waiting[state.next] = continuation
            return state.next
        }
        guard let number else { return }
        for await _ in stream {}
        self.state.withLock { state in state.waiting[number] = nil }
    }
}

extension DoorContext {
    /// Of this request's connection.
    package func presence() async -> ClientPresence {
        let channel = self.channel
        let found = channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ConnectionGuard.self).presence
        }
        // No guard in the pipeline any more: the connection is closed.
        return (try? await found.get()) ?? ClientPresence(gone: ())
    }
}

extension ClientPresence {
    fileprivate convenience init(gone: Void) {
        self.init()
        self.left()
    }
}
