package import EmbeddedPostgres

/// A program that the local cluster keeps running.
package enum LocalChild: Sendable, Hashable {
    case redis
    case balancer
    case worker(Int)

    package var name: String {
        switch self {
        case .redis: "redis"
        case .balancer: "haproxy"
        case .worker(let number): "worker-\(number)"
        }
    }
}

/// Decides which children to start, stop and start again.
///
/// Times are counted from the start of the cluster.
package struct LocalClusterPlan: Sendable, Equatable {
    package enum Phase: Sendable, Equatable {
        /// Goes to `starting`.
        case waiting
        /// Goes to `ready`, `ended`, `refused` or `stopping`.
        case starting(since: Duration)
        /// Goes to `silent`, `ended`, `refused` or `stopping`.
        case ready
        /// It was ready and does not answer. Goes to `ready`, `ended`, `refused` or `stopping`.
        case silent
        /// It died by itself. Goes to `waiting` at that time.
        case ended(ChildProcess.End, startAt: Duration)
        /// It said that it cannot run here; stays until it is no longer wanted.
        case refused(code: Int32)
        /// It was told to leave. Goes away.
        case stopping(killAt: Duration)
        case killing
    }

    package struct Child: Sendable, Equatable {
        package var phase: Phase = .waiting
        package var pid: Int32?
        package var startedAt: Duration = .zero
        package var restarts = 0
        var refusals = 0
        var backoff = RestartBackoff(first: .seconds(1), most: .seconds(10), calmAfter: .seconds(30))
    }

    package enum Event: Sendable, Equatable {
        case wanted(workers: Int)
        case started(LocalChild, pid: Int32)
        case notStarted(LocalChild)
        case ended(LocalChild, ChildProcess.End)
        case answered(LocalChild, Bool)
    }

    package enum Order: Sendable, Equatable {
        case start(LocalChild)
        /// Ask it to leave in order.
        case stop(LocalChild)
        case kill(LocalChild)
    }

    /// So many start at the same time: a small machine would make all of them slow.
    static let startingMax = 4
    /// One that takes longer no longer holds up others.
    static let startingFor = Duration.seconds(10)
    static let stoppingFor = Duration.seconds(15)
    /// A worker that comes back while its name is still taken by its former self is allowed some refusals.
    static let refusalsMax = 3

    package private(set) var children: [LocalChild: Child] = [:]
    package private(set) var workersWanted: Int
    private let others: [LocalChild]

    package init(workers: Int, others: [LocalChild]) {
        self.workersWanted = workers
        self.others = others
    }

    /// Takes in what happened and answers what to do now.
    package mutating func step(_ events: [Event], at now: Duration) -> [Order] {
        for event in events { self.take(event, at: now) }
        let wanted = Set(
            self.others + (1...LocalClusterOptions.workersMax).prefix(self.workersWanted).map { .worker($0) })
        for child in wanted where self.children[child] == nil { self.children[child] = Child() }
        var orders: [Order] = []
        for child in self.children.keys.sorted(by: LocalChild.startsBefore) {
            if let order = self.advance(child, isWanted: wanted.contains(child), at: now) {
                orders.append(order)
            }
        }
        return orders
    }
}

// MARK: - What happened

extension LocalClusterPlan {
    private mutating func take(_ event: Event, at now: Duration) {
        switch event {
        case .wanted(let workers): self.workersWanted = workers
        case .started(let child, let pid): self.children[child]?.pid = pid
        case .notStarted(let child): self.end(child, .exited(127), at: now)
        case .ended(let child, let end): self.end(child, end, at: now)
        case .answered(let child, let isReady):
            switch (self.children[child]?.phase, isReady) {
            case (.starting, true), (.silent, true): self.children[child]?.phase = .ready
            case (.ready, false): self.children[child]?.phase = .silent
            default: break  // Old news of a child that has moved on.
            }
        }
    }

    private mutating func end(_ name: LocalChild, _ end: ChildProcess.End, at now: Duration) {
        guard var child = self.children[name] else { return }
        child.pid = nil
        switch child.phase {
        case .stopping, .killing:
            self.children[name] = nil
            return
        case .waiting, .ended, .refused: return
        case .starting, .ready, .silent: break
        }
        child.refusals = child.phase == .ready ? 0 : child.refusals
        if let code = Self.refusal(end) {
            child.refusals += 1
            if child.restarts == 0 || child.refusals >= Self.refusalsMax {
                child.phase = .refused(code: code)
                self.children[name] = child
                return
            }
        }
        let delay = child.backoff.delay(afterLiving: now - child.startedAt)
        child.phase = .ended(end, startAt: now + delay)
        child.restarts += 1
        self.children[name] = child
    }

    /// Exit codes of sysexits.h: trying again would end in the same way.
    static func refusal(_ end: ChildProcess.End) -> Int32? {
        switch end {
        case .exited(let code) where (64...78).contains(code): code
        case .exited, .killed: nil
        }
    }
}

// MARK: - What to do

extension LocalClusterPlan {
    private mutating func advance(_ name: LocalChild, isWanted: Bool, at now: Duration) -> Order? {
        guard let child = self.children[name] else { return nil }
        switch child.phase {
        case .stopping(let killAt) where now >= killAt:
            self.children[name]?.phase = .killing
            return .kill(name)
        case .stopping, .killing: return nil
        case .starting, .ready, .silent:
            if name == .redis || name == .balancer, isWanted, case .starting(let since) = child.phase,
                child.pid != nil, now - since >= .milliseconds(500)
            {
                self.children[name]?.phase = .ready  // Nobody asks them: to live on is to be ready.
            }
            if isWanted { return nil }
            self.children[name]?.phase = .stopping(killAt: now + Self.stoppingFor)
            return .stop(name)
        case .waiting, .ended, .refused:
            guard isWanted else {
                self.children[name] = nil
                return nil
            }
            return self.start(name, child, at: now)
        }
    }

    private mutating func start(_ name: LocalChild, _ child: Child, at now: Duration) -> Order? {
        switch child.phase {
        case .refused: return nil
        case .ended(_, let startAt) where now < startAt: return nil
        case .waiting, .ended, .starting, .ready, .silent, .stopping, .killing: break
        }
        let starting = self.children.values.count { other in
            if case .starting(let since) = other.phase { now - since < Self.startingFor } else { false }
        }
        guard starting < Self.startingMax else {
            self.children[name]?.phase = .waiting
            return nil
        }
        self.children[name]?.phase = .starting(since: now)
        self.children[name]?.startedAt = now
        return .start(name)
    }
}

extension LocalChild {
    /// Redis and the balancer first, then workers by number.
    package static func startsBefore(_ one: LocalChild, _ other: LocalChild) -> Bool { one.rank < other.rank }

    private var rank: Int {
        switch self {
        case .redis: -2
        case .balancer: -1
        case .worker(let number): number
        }
    }
}
