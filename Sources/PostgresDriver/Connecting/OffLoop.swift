import Glibc

/// Runs what may block on a thread of its own: name resolution has no other way.
enum OffLoop {
    private final class Box {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }

    /// The callers bound how many of these run: one per connection that is being made.
    static func run(_ work: @escaping @Sendable () -> Void) {
        let box = unsafe Unmanaged.passRetained(Box(work))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().work()
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            // Out of threads: better to block here for a moment than to forget the work.
            return unsafe box.takeRetainedValue().work()
        }
        pthread_detach(thread)
    }
}
