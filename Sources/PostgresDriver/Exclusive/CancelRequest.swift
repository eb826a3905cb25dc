import CLibPQ
import Synchronization

/// The right to ask a server to end what one of its sessions does; the only owner of a `PGcancel`.
///
/// It stands for itself: it may outlive its connection, and then hits nothing. The request is one of its own
/// to the server's main process, so that it gets through even when all connections are taken.
@safe
final class CancelRequest: @unchecked Sendable {
    private static let atATime = Atomic<Int>(0)
    /// Threads that may be in a request at a time: towards a host that swallows, each hangs for a while.
    private static let limit = 16

    private let cancel: OpaquePointer

    /// - Returns: nil when the connection is gone.
    init?(_ handle: ConnectionHandle) {
        guard let cancel = unsafe PQgetCancel(handle.connection) else { return nil }
        unsafe self.cancel = unsafe cancel
    }

    deinit { unsafe PQfreeCancel(self.cancel) }

    /// Sends the request on a thread of its own, because libpq blocks, and says when it is over.
    ///
    /// The server closes the request's connection after it has signalled the session, and libpq waits for
    /// that: once `done` is called, nothing that is sent then can be hit any more. That it arrived does not
    /// say that there was something to cancel.
    func send(_ done: @escaping @Sendable () -> Void) {
        guard Self.atATime.add(1, ordering: .relaxed).newValue <= Self.limit else {
            Self.atATime.subtract(1, ordering: .relaxed)
            return done()
        }
        let isSent = OffLoop.run {
            _ = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
                unsafe PQcancel(self.cancel, message.baseAddress, CInt(message.count))
            }
            Self.atATime.subtract(1, ordering: .relaxed)
            done()
        }
        guard !isSent else { return }
        Self.atATime.subtract(1, ordering: .relaxed)
        done()
    }
}
