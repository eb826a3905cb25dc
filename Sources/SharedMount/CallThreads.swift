import CLinux
import Dispatch
import Glibc
import NIOCore
import Synchronization

/// Threads for work that blocks, started as they are needed.
///
/// Each piece of work wakes one thread at most, the one that slept last: where little is to be done few threads do it,
/// and their memory stays warm. Where the system gives no further thread, those that there are do the work.
final class CallThreads: Sendable {
    typealias Work = @Sendable () -> Void

    /// Where one thread waits for work.
    private final class Seat: Sendable {
        let bell = DispatchSemaphore(value: 0)
        /// Put there before the bell rings; nil then means that there will be no more.
        let work = Mutex<Work?>(nil)

        func take() -> Work? {
            self.work.withLock { work in
                defer { work = nil }
                return work
            }
        }
    }

    private struct State {
        var waiting = CircularBuffer<Work>()
        /// Of threads that have nothing to do; the last one worked last.
        var idle: [Seat] = []
        var alive = 0
        var isStopping = false
        var whenEnded: [Work] = []
    }

    private enum Order {
        case wake(Seat)
        case start
        case wait
        case refuse
    }

    private let name: StaticString
    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter name: of each thread, as tools show it.
    init(name: StaticString, limit: Int) {
        self.name = name
        self.limit = limit
    }

    /// Whether the work will be done: not any more when ``stop(then:)`` was called before.
    func give(_ work: @escaping Work) -> Bool {
        let order: Order = self.state.withLock { state in
            guard !state.isStopping else { return .refuse }
            if let seat = state.idle.popLast() { return .wake(seat) }
            if state.alive < self.limit {
                state.alive += 1
                return .start
            }
            state.waiting.append(work)
            return .wait
        }
        switch order {
        case .refuse: return false
        case .wait: break
        case .wake(let seat):
            seat.work.withLock { $0 = work }
            seat.bell.signal()
        case .start:
            let seat = Seat()
            seat.work.withLock { $0 = work }
            // The thread must not hold its first work for ever.
            let isStarted = Self.startThread {
                _ = self.name.withUTF8Buffer { unsafe flotilla_name_thread($0.baseAddress) }
                while self.workOnce(at: seat) {}
            }
            if !isStarted { return self.giveToOthers(work) }
        }
        return true
    }

    /// Takes back the count of a thread that could not be started; false when there is no other.
    private func giveToOthers(_ work: @escaping Work) -> Bool {
        let (order, left): (Order, [Work]) = self.state.withLock { state in
            state.alive -= 1
            if let seat = state.idle.popLast() { return (.wake(seat), []) }
            // Who is counted looks at what waits once more before it ends or sleeps.
            if state.alive > 0 {
                state.waiting.append(work)
                return (.wait, [])
            }
            // What others left to a thread that never came is done here: nobody else would.
            defer {
                state.whenEnded = []
                state.waiting.removeAll()
            }
            return (.refuse, Array(state.waiting) + state.whenEnded)
        }
        for left in left { left() }
        switch order {
        case .wake(let seat):
            seat.work.withLock { $0 = work }
            seat.bell.signal()
            return true
        case .wait: return true
        case .refuse, .start: return false
        }
    }

    private final class Body: Sendable {
        let run: Work
        init(_ run: @escaping Work) { self.run = run }
    }

    /// False when the system has no thread left, as at the limit of a container.
    private static func startThread(_ run: @escaping Work) -> Bool {
        let body = unsafe Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let failed = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<Body>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard failed == 0 else {
            unsafe body.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// Ends the threads when all that was given is done; then calls `ended`, on one of them or here.
    func stop(then ended: @escaping Work) {
        let (idle, isOver) = self.state.withLock { state in
            state.isStopping = true
            let idle = state.idle
            state.idle = []
            state.alive -= idle.count
            if state.alive > 0 { state.whenEnded.append(ended) }
            return (idle, state.alive == 0)
        }
        for seat in idle { seat.bell.signal() }
        if isOver { ended() }
    }

    /// False when the thread is to end.
    ///
    /// What the work held is let go before the thread sleeps.
    private func workOnce(at seat: Seat) -> Bool {
        guard let work = seat.take() ?? self.next(at: seat) else { return false }
        work()
        return true
    }

    private func next(at seat: Seat) -> Work? {
        enum Next {
            case work(Work)
            case sleep
            case end([Work])
        }
        let next: Next = self.state.withLock { state in
            if let work = state.waiting.popFirst() { return .work(work) }
            guard state.isStopping else {
                state.idle.append(seat)
                return .sleep
            }
            state.alive -= 1
            guard state.alive == 0 else { return .end([]) }
            defer { state.whenEnded = [] }
            return .end(state.whenEnded)
        }
        switch next {
        case .work(let work): return work
        case .end(let ended):
            for ended in ended { ended() }
            return nil
        case .sleep:
            seat.bell.wait()
            return seat.take()
        }
    }
}
