/// Runs tasks on the thread of a readiness loop.
///
/// `Task(executorPreference: LoopTaskExecutor(loop))` and `withTaskExecutorPreference` take it. What such a
/// task asks of a driver on the same loop costs no change of threads: the thread that hears the answer goes
/// on with the task. The rule of the loop holds for the task, too: between two `await`s it must be short, and
/// it must never block.
package final class LoopTaskExecutor: TaskExecutor {
    private let loop: ReadinessLoop

    package init(_ loop: ReadinessLoop) { self.loop = loop }

    package func enqueue(_ job: consuming ExecutorJob) {
        // As in the loop itself: once given, the task may end on the loop's thread and free us and the loop.
        let kept = unsafe Unmanaged.passRetained(self)
        defer { unsafe kept.release() }
        let given = unsafe self.loop.give(.task(UnownedJob(job), self.asUnownedTaskExecutor()))
        precondition(given, "a task was given to the readiness loop \(self.loop.label) after it had stopped")
    }
}
