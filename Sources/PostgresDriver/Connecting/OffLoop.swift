import Glibc
import Synchronization

/// Runs what may block on a thread of its own: name resolution has no other way.
enum OffLoop {
    /// Threads at a time; a resolver that hangs must not collect more than these.
    static let limit = 64

    private static let running = Atomic<Int>(0)

    private final class Box {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    /// - Returns: false when too many of these run already, or there is no thread left; `work` will not run.
    static func run(_ work: @escaping @Sendable () -> Void) -> Bool {
        guard self.running.add(1, ordering: .relaxed).newValue <= self.limit else {
            self.running.subtract(1, ordering: .relaxed)
            return false
        }
        let box = unsafe Unmanaged.passRetained(Box(work))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().work()
                OffLoop.running.subtract(1, ordering: .relaxed)
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            unsafe box.release()
            self.running.subtract(1, ordering: .relaxed)
            return false
        }
        pthread_detach(thread)
        return true
    }
}
