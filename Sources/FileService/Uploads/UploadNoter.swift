import ClusterModel
import ClusterPorts
import Synchronization

/// Notes durable offsets of all uploads of a node, one statement in flight.
///
/// A lost reply is answered by sending the same again: the same offset under the same epoch is the same note.
final class UploadNoter: Sendable {
    private typealias Waiter = CheckedContinuation<Result<UploadNoteAnswer, StoreError>, Never>

    private struct State {
        var queue: NoteQueue<Waiter>
        var isOpen = false
    }

    private let store: any UploadStore
    private let attempts: Int
    private let state: Mutex<State>
    private let arrived: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation
    private static let pause: Duration = .milliseconds(100)

    init(store: any UploadStore, batch: Int, attempts: Int) {
        self.store = store
        self.attempts = attempts
        self.state = Mutex(State(queue: NoteQueue(batch: batch)))
        (self.arrived, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var isOpen: Bool { self.state.withLock { $0.isOpen } }

    func note(_ note: UploadNote, by right: NodeRight) async throws(StoreError) -> UploadNoteAnswer {
        let answer: Result<UploadNoteAnswer, StoreError> = await withCheckedContinuation { continuation in
            let isOpen = self.state.withLock { state in
                guard state.isOpen else { return false }
                state.queue.add(.init(note: note, right: right, waiter: continuation))
                return true
            }
            if isOpen {
                self.arrival.yield()
            } else {
                continuation.resume(returning: .failure(.notRun("this node is stopping")))
            }
        }
        return try answer.get()
    }

    /// Ends when the task is cancelled, after what waits then.
    func run() async {
        self.state.withLock { $0.isOpen = true }
        await withTaskCancellationHandler {
            for await _ in self.arrived { await self.noteAll() }
            self.state.withLock { $0.isOpen = false }
            await self.noteAll()
        } onCancel: {
            self.arrival.finish()
        }
    }

    private func noteAll() async {
        while true {
            let batch = self.state.withLock { $0.queue.next() }
            guard let right = batch.first?.right else { return }
            let answers = await self.send(batch.map(\.note), by: right)
            for (index, entry) in batch.enumerated() {
                switch answers {
                case .success(let answers): entry.waiter.resume(returning: .success(answers[index]))
                case .failure(let error): entry.waiter.resume(returning: .failure(error))
                }
            }
        }
    }

    private func send(_ notes: [UploadNote], by right: NodeRight) async -> Result<
        [UploadNoteAnswer], StoreError
    > {
        var last = StoreError.notRun("no attempt was made")
        for attempt in 0..<max(1, self.attempts) {
            if attempt > 0 { try? await Task.sleep(for: Self.pause) }
            do throws(StoreError) {
                let answers = try await self.store.note(notes, by: right)
                guard answers.count == notes.count else {
                    return .failure(.corrupt("\(answers.count) answers came to \(notes.count) notes"))
                }
                return .success(answers)
            } catch {
                last = error
                switch error {
                case .notRun, .mayHaveRun: continue
                case .refused, .corrupt: return .failure(error)
                }
            }
        }
        return .failure(last)
    }
}
