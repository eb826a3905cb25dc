import Synchronization

/// What a listener hears, for one subscriber.
package final class PostgresListenerEvents: AsyncSequence, Sendable {
    package typealias Element = ListenerBuffer.Event
    package typealias Failure = Never

    private struct State {
        var buffer: ListenerBuffer
        var subscriber: CheckedContinuation<ListenerBuffer.Event?, Never>?
        var isFinished = false

        mutating func takeSubscriber() -> CheckedContinuation<ListenerBuffer.Event?, Never>? {
            defer { self.subscriber = nil }
            return self.subscriber
        }
    }

    private let state: Mutex<State>

    init(limit: Int) { self.state = Mutex(State(buffer: ListenerBuffer(limit: limit))) }

    package func makeAsyncIterator() -> Iterator { Iterator(events: self) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let events: PostgresListenerEvents

        /// The next event; nil when the listener has ended and all was heard, or the task is cancelled.
        package mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async -> ListenerBuffer.Event? {
            await self.events.next()
        }
    }

    func append(_ notification: PostgresNotification) {
        self.change { $0.append(notification) }
    }

    func beganToListen() {
        self.change { $0.beganToListen() }
    }

    func finish() {
        let subscriber = self.state.withLock { state in
            state.isFinished = true
            return state.takeSubscriber()
        }
        subscriber?.resume(returning: nil)
    }

    private func change(_ change: (inout ListenerBuffer) -> Void) {
        let told = self.state.withLock { state in
            change(&state.buffer)
            return state.takeSubscriber().map { ($0, state.buffer.next()) }
        }
        told?.0.resume(returning: told?.1)
    }

    private func next() async -> ListenerBuffer.Event? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { subscriber in
                let event: ListenerBuffer.Event?? = self.state.withLock { state in
                    if let event = state.buffer.next() { return event }
                    // A second subscriber would take events from the first.
                    if state.isFinished || Task.isCancelled || state.subscriber != nil { return .some(nil) }
                    state.subscriber = subscriber
                    return nil
                }
                if let event { subscriber.resume(returning: event) }
            }
        } onCancel: {
            let subscriber = self.state.withLock { $0.takeSubscriber() }
            subscriber?.resume(returning: nil)
        }
    }
}
