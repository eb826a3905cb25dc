import CLibPQ
import Dispatch
import Synchronization

struct BlockingDialFailure: Error {
    let message: String
}

/// Connects to one host without blocking for longer than allowed.
enum BlockingDial {
    static func connect(
        _ target: [ConnectionSetting], due: ContinuousClock.Instant
    ) throws(BlockingDialFailure) -> ConnectionHandle {
        let host = ConnectionTargets.name(of: target)
        guard let handle = self.start(target, due: due) else {
            throw BlockingDialFailure(message: "\(host): its name was not resolved in time")
        }
        // As if the last poll had asked to write: that is how libpq wants to be begun.
        var toWrite = true
        while !handle.isBad {
            guard PollWait.wait(handle.socket, toWrite: toWrite, until: due) else {
                throw BlockingDialFailure(message: "\(host): no session in time")
            }
            switch handle.poll() {
            case PGRES_POLLING_READING: toWrite = false
            case PGRES_POLLING_WRITING: toWrite = true
            case PGRES_POLLING_OK:
                guard handle.setNonblocking() else { break }
                return handle
            default: break
            }
        }
        throw BlockingDialFailure(message: handle.errorMessage)
    }

    private final class Arrival: Sendable {
        let handle = Mutex<ConnectionHandle?>(nil)
        let bell = DispatchSemaphore(value: 0)
    }

    /// Starts on another thread, because that resolves the name, and may block for longer than we can wait.
    ///
    /// What comes too late finds nobody, and the handle goes away with its arrival.
    private static func start(_ target: [ConnectionSetting], due: ContinuousClock.Instant)
        -> ConnectionHandle?
    {
        let arrival = Arrival()
        let isResolving = OffLoop.run {
            let handle = ConnectionHandle.start(target)
            arrival.handle.withLock { $0 = handle }
            arrival.bell.signal()
        }
        guard isResolving else { return nil }
        let left = ContinuousClock.now.duration(to: due)
        _ = arrival.bell.wait(timeout: .now() + .milliseconds(PollWait.milliseconds(left)))
        return arrival.handle.withLock { $0 }
    }
}
