import ClusterModel
import ClusterPorts
import Coordinator
import Dispatch
import Foundation
import Logging
import Synchronization

/// A thread with a connection of its own that beats, or that holds the second advisory lock.
///
/// Independent of the concurrency pool: a node whose pool is busy still beats. It opens its line before the node
/// joins (the lock comes first), waits for ``begin(_:)``, and then goes on until it is stopped or finds itself dead.
/// A line that fails is opened again, with a pause that grows to a second and no further, so that after an outage
/// of the database everybody is back before anybody may accuse. What is left of a failed line is closed at once, unless
/// it is the last that holds the lock (``LinePair``).
final class LineThread: Sendable {
    enum Role: Sendable {
        case heartbeat
        case holder
    }

    /// What the thread reports; bounded by the stream that takes it.
    enum Report: Sendable {
        case opened
        case failedToOpen(StoreError)
        case input(Coordinator.Input, at: ClusterInstant)
    }

    private struct Orders {
        var right: NodeRight?
        var wakeAt: ClusterInstant?
        var percent = 100
        var stopped = false
    }

    private struct Held {
        var line: (any HeartbeatLine)?
        /// Failed, and of no more use, but for the lock.
        var kept: (any HeartbeatLine)?

        mutating func letGo() {
            self.kept?.close()
            self.kept = nil
        }
    }

    private let role: Role
    private let pair: LinePair
    private let incarnation: Incarnation
    private let lines: any HeartbeatLines
    private let board: StandingBoard
    private let meter: any LoadMeter
    private let capacity: Int
    private let times: MembershipTimes
    private let logger: Logger
    private let orders = Mutex(Orders())
    private let poke = DispatchSemaphore(value: 0)
    private let report: @Sendable (Report) -> Void

    init(
        role: Role, pair: LinePair, incarnation: Incarnation, lines: any HeartbeatLines,
        board: StandingBoard, meter: any LoadMeter, capacity: Int, times: MembershipTimes, logger: Logger,
        report: @escaping @Sendable (Report) -> Void
    ) {
        self.role = role
        self.pair = pair
        self.incarnation = incarnation
        self.lines = lines
        self.board = board
        self.meter = meter
        self.capacity = capacity
        self.times = times
        self.logger = logger
        self.report = report
    }

    func start() {
        let thread = Thread { self.run() }
        thread.name = self.role == .heartbeat ? "heartbeat" : "lock-holder"
        thread.start()
    }

    /// The node has joined: beat for this right from now on.
    func begin(_ right: NodeRight) {
        self.orders.withLock { $0.right = right }
        self.poke.signal()
    }

    /// Say `woke` at this moment, unless a later call says otherwise.
    func wake(at moment: ClusterInstant?) {
        let earlier = self.orders.withLock { orders in
            let earlier = moment.map { new in orders.wakeAt.map { new < $0 } ?? true } ?? false
            orders.wakeAt = moment
            return earlier
        }
        if earlier { self.poke.signal() }
    }

    /// What the next heartbeats say of the capacity: percent of what the node was set up for, and at least 1.
    func offer(percent: Int) { self.orders.withLock { $0.percent = percent } }

    private var offered: Int {
        let percent = self.orders.withLock { $0.percent }
        return max(min(self.capacity, 1), self.capacity * percent / 100)
    }

    /// The thread closes its line and ends within one heartbeat's deadline.
    ///
    /// It is safe to call this twice.
    func stop() {
        self.orders.withLock { $0.stopped = true }
        self.poke.signal()
    }

    private var stopped: Bool { self.orders.withLock { $0.stopped } }

    // MARK: On the thread

    private func run() {
        var held = Held()
        var everOpened = false
        var failures = 0
        var next = SteadyClock.now()
        /// From when on only the timer could be late, not the database.
        var free = next
        while !self.stopped {
            if held.line == nil {
                // Before a place at the server is asked for: the one that is kept is not needed any more.
                if self.pair.otherStands(than: self.role) { held.letGo() }
                held.line = self.open(reporting: !everOpened, failures: &failures)
                guard held.line != nil else { continue }
                self.pair.opened(self.role)
                held.letGo()
                free = SteadyClock.now()
                if !everOpened {
                    everOpened = true
                    self.report(.opened)
                }
            }
            guard let right = self.orders.withLock({ $0.right }) else {
                _ = self.poke.wait(timeout: .now() + .milliseconds(250))
                next = SteadyClock.now()
                continue
            }
            let now = SteadyClock.now()
            if now >= next {
                if self.role == .heartbeat {
                    self.report(.input(.measured(.beatLeft(late: now.since(max(next, free)))), at: now))
                }
                next = now.advanced(by: self.period)
                guard self.turn(&held, right: right) else { break }
                free = SteadyClock.now()
                // A broken line may have been the last one that held the lock: open the next one at once.
                guard held.line != nil else { continue }
            }
            self.rest(until: next)
        }
        held.line?.close()
        held.letGo()
    }

    private var period: Duration { self.role == .heartbeat ? self.times.heartbeatPeriod : .seconds(1) }

    private func open(reporting: Bool, failures: inout Int) -> (any HeartbeatLine)? {
        do {
            let line = try self.lines.open(for: self.incarnation, within: self.times.heartbeatDeadline)
            failures = 0
            return line
        } catch {
            failures += 1
            if reporting { self.report(.failedToOpen(error)) }
            self.logger.debug(
                "line not opened", metadata: ["line.role": "\(self.role)", "error": "\(error)"])
            let pause = min(1_000, 25 << min(failures, 6))
            _ = self.poke.wait(timeout: .now() + .milliseconds(Int.random(in: pause / 2...pause)))
            return nil
        }
    }

    /// One beat or check.
    ///
    /// False: the incarnation is dead, and the thread ends.
    private func turn(_ held: inout Held, right: NodeRight) -> Bool {
        guard let current = held.line else { return true }
        do {
            guard self.role == .heartbeat else {
                try current.check(within: self.times.heartbeatDeadline)
                return true
            }
            let sentAt = SteadyClock.now()
            let pulse = Pulse(
                slot: right.slot, incarnation: right.incarnation, load: self.meter.sample(),
                capacity: self.offered)
            switch try current.beat(pulse, within: self.times.heartbeatDeadline) {
            case .alive(let news):
                self.board.acknowledged(news, sentAt: sentAt, incarnation: right.incarnation)
                self.report(.input(.beatAnswered(news, sentAt: sentAt), at: SteadyClock.now()))
                return true
            case .dead:
                self.board.ended(right.incarnation)
                self.report(.input(.foundDead, at: SteadyClock.now()))
                return false
            }
        } catch {
            if self.role == .heartbeat { self.report(.input(.measured(.beatFailed), at: SteadyClock.now())) }
            self.logger.debug("line failed", metadata: ["line.role": "\(self.role)", "error": "\(error)"])
            held.line = nil
            if self.pair.failed(self.role) { held.kept = current } else { current.close() }
            return true
        }
    }

    private func rest(until next: ClusterInstant) {
        while !self.stopped {
            let now = SteadyClock.now()
            let wakeAt = self.orders.withLock { orders -> ClusterInstant? in
                guard let wakeAt = orders.wakeAt else { return nil }
                if wakeAt <= now { orders.wakeAt = nil }
                return wakeAt
            }
            if let wakeAt, wakeAt <= now {
                self.report(.input(.woke, at: now))
                continue
            }
            guard now < next else { return }
            let pause = min(next, wakeAt ?? next).since(now).wholeNanoseconds
            _ = self.poke.wait(timeout: .now() + .nanoseconds(Int(pause)))
        }
    }
}
