import Synchronization

/// Counts the uploads that a node receives, or what else it has open, up to a bound.
final class OpenUploads: Sendable {
    private let limit: Int
    private let open = Mutex(0)

    init(limit: Int) { self.limit = limit }

    var count: Int { self.open.withLock { $0 } }

    /// Each call that does not throw is followed by one ``leave()``.
    func enter() throws(FileServiceError) {
        let entered = self.open.withLock { open in
            guard open < self.limit else { return false }
            open += 1
            return true
        }
        guard entered else { throw .tooBusy(retryAfterSeconds: 1) }
    }

    func leave() { self.open.withLock { $0 -= 1 } }
}
