import ClusterModel
import ClusterPorts
import NIOCore
import Synchronization

/// A file in staging that is being written.
///
/// One piece is on its way to the file while its owner gets the next one together; whoever comes with that waits for
/// the piece before. After a failed write only ``discard()`` is left: what the kernel kept of it nobody knows.
final class PosixStagedFile: StagedFile {
    let name: StagedName
    private let calls: BlockingCalls
    private let state: Mutex<State>

    private typealias Waiter = CheckedContinuation<StagedWriting?, Never>

    private enum State {
        /// Goes to `busy` or `ended`.
        case open(StagedWriting)
        /// A call is running on a thread; one more may wait for its end. Goes to `open` or `ended`.
        case busy(Waiter?)
        case ended
    }

    init(_ writing: StagedWriting, calls: BlockingCalls) {
        self.name = writing.name
        self.calls = calls
        self.state = Mutex(.open(writing))
    }

    deinit {
        guard case .open(let writing) = self.state.withLock({ $0 }) else { return }
        self.calls.runLater { writing.abandon() }
    }

    func append(_ pieces: [ByteBuffer]) async throws(VaultError) -> Int64 {
        let writing = try await self.take()
        let total = pieces.reduce(writing.written) { $0 + Int64($1.readableBytes) }
        do throws(VaultError) {
            try self.calls.start {
                var next = writing
                do throws(VaultError) { try next.write(pieces) } catch { next.failure = error }
                self.put(next)
            }
        } catch {
            // Nothing of it was written: too many calls wait.
            self.put(writing)
            throw error
        }
        return total
    }

    var isWriting: Bool {
        self.state.withLock { state in
            if case .busy = state { true } else { false }
        }
    }

    func seal(_ pieces: [ByteBuffer]) async throws(VaultError) -> SealedFile {
        let writing = try await self.take()
        do throws(VaultError) {
            let sealed = try await self.calls.run { () throws(VaultError) in
                // Named or not: what is left after a failure goes by its name.
                var writing = writing
                try writing.writeLast(pieces)
                return try writing.seal()
            }
            self.state.withLock { $0 = .ended }
            return sealed
        } catch {
            var failed = writing
            failed.failure = error
            self.put(failed)
            throw error
        }
    }

    func discard() async {
        guard let writing = await self.next() else { return }
        self.state.withLock { $0 = .ended }
        // Refused when too much waits: then a thread does it some time.
        do {
            try await self.calls.run { writing.abandon() }
        } catch {
            self.calls.runLater { writing.abandon() }
        }
    }

    /// When the piece before is written, and was.
    private func take() async throws(VaultError) -> StagedWriting {
        guard let writing = await self.next() else {
            throw .failed("staging \(self.name) is sealed or discarded, or being written by somebody else")
        }
        if let failure = writing.failure {
            self.put(writing)
            throw failure
        }
        return writing
    }

    /// Nil when it has ended, or somebody else waits already.
    private func next() async -> StagedWriting? {
        await withCheckedContinuation { continuation in
            let now: StagedWriting?? = self.state.withLock { state in
                switch state {
                case .open(let writing):
                    state = .busy(nil)
                    return .some(writing)
                case .busy(nil):
                    state = .busy(continuation)
                    return nil
                case .busy, .ended: return .some(nil)
                }
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    private func put(_ writing: StagedWriting) {
        let waiter: Waiter? = self.state.withLock { state in
            guard case .busy(let waiter) = state else { return nil }
            state = waiter == nil ? .open(writing) : .busy(nil)
            return waiter
        }
        waiter?.resume(returning: writing)
    }
}
