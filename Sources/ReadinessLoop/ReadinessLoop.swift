import CLinux
import Glibc
import Synchronization

/// One thread that waits for many descriptors, timers and jobs, and runs what they wake.
///
/// It is a `SerialExecutor`: actors may live on it, and so may plain classes whose every method is called on
/// its thread only (`preconditionOnLoop`). Work is started in the order it was given. Nothing that runs here
/// may block: everything else on the loop would wait with it.
///
/// Each turn runs at most `itemsPerTurn` pieces of queued work and `eventsPerTurn` descriptors before it
/// looks at the others again, so that neither starves the other.
package final class ReadinessLoop: SerialExecutor, Sendable {
    @safe
    enum Item {
        case job(UnownedJob)
        /// A piece of a task that prefers the loop, and what it prefers; the task keeps that alive.
        case task(UnownedJob, UnownedTaskExecutor)
        case work(@Sendable () -> Void)
    }

    /// What other threads may touch, under the lock.
    struct Inbox {
        var items: [Item] = []
        /// The thread is, or is about to be, in an unbounded wait: the next giver must ring the bell.
        var isAsleep = false
        var isStopping = false
        var isStopped = false
    }

    enum Limits {
        static let itemsPerTurn = 1024
        static let eventsPerTurn = 256
    }

    package let label: String
    let inbox = Mutex(Inbox())
    let epoll: CInt
    let bell: CInt
    /// Belongs to the loop's thread alone.
    nonisolated(unsafe) let confined = Confined()
    private let thread = Atomic<UInt>(0)

    /// Starts the thread.
    ///
    /// - Parameter label: names the loop in messages about broken rules.
    /// - Throws: `ReadinessLoopError` when the process has no descriptor or thread left.
    package init(label: String) throws(ReadinessLoopError) {
        self.label = label
        let epoll = flotilla_epoll_create()
        guard epoll >= 0 else { throw ReadinessLoopError(action: "create an epoll", code: errno) }
        let bell = flotilla_eventfd()
        guard bell >= 0, flotilla_epoll_add(epoll, bell, UInt32(FLOTILLA_READABLE), 0) == 0 else {
            let code = errno
            close(epoll)
            if bell >= 0 { close(bell) }
            throw ReadinessLoopError(action: "create an eventfd", code: code)
        }
        self.epoll = epoll
        self.bell = bell
        try self.startThread()
    }

    deinit {
        close(self.epoll)
        close(self.bell)
    }

    /// Runs `work` on the loop's thread, after everything given before it.
    ///
    /// May be called from any thread, the loop's own included. The thread is woken only when it sleeps, so
    /// many calls in a row cost one wake-up.
    ///
    /// - Returns: false when the loop has stopped; the work will not run then.
    @discardableResult
    package func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        self.give(.work(work))
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        // The runtime holds no reference to an executor: once given, the job may run on our thread, end the
        // last owner of this loop, and free it while this thread has not yet rung the bell.
        let kept = unsafe Unmanaged.passRetained(self)
        defer { unsafe kept.release() }
        let given = self.give(.job(UnownedJob(job)))
        precondition(given, "a job was given to the readiness loop \(self.label) after it had stopped")
    }

    /// Stops the thread once everything that is queued has run; timers and watches are forgotten.
    ///
    /// Does not wait. `execute` answers false from the moment at which the thread has ended.
    package func shutdown() {
        self.inbox.withLock { $0.isStopping = true }
        flotilla_eventfd_signal(self.bell)
    }

    func give(_ item: consuming Item) -> Bool {
        let wake: Bool? = self.inbox.withLock { [item = consume item] inbox in
            guard !inbox.isStopped else { return nil }
            inbox.items.append(item)
            defer { inbox.isAsleep = false }
            return inbox.isAsleep
        }
        guard let wake else { return false }
        if wake { flotilla_eventfd_signal(self.bell) }
        return true
    }

    // MARK: The thread

    /// Whether the caller runs on the loop's thread.
    package var isCurrent: Bool { self.thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    package func preconditionOnLoop() {
        precondition(self.isCurrent, "only for the thread of the readiness loop \(self.label)")
    }

    package func checkIsolated() { self.preconditionOnLoop() }
    package func isIsolatingCurrentContext() -> Bool? { self.isCurrent }

    private func startThread() throws(ReadinessLoopError) {
        var handle = pthread_t()
        let retained = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(
            &handle, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                let loop = unsafe Unmanaged<ReadinessLoop>.fromOpaque(raw).takeRetainedValue()
                loop.thread.store(UInt(pthread_self()), ordering: .relaxed)
                loop.runUntilStopped()
                // The system gives the name of a thread that has ended to another one.
                loop.thread.store(0, ordering: .relaxed)
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            unsafe retained.release()
            throw ReadinessLoopError(action: "start a thread", code: code)
        }
        pthread_detach(handle)
    }
}

/// The operating system refused what a readiness loop needs.
package struct ReadinessLoopError: Error, CustomStringConvertible {
    package let action: String
    /// The errno.
    package let code: CInt

    package var description: String {
        "cannot \(self.action): \(unsafe String(cString: strerror(self.code)))"
    }
}
