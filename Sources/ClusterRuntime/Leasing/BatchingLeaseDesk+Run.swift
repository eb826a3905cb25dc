import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import ServiceLifecycle
import Synchronization

/// Carrying out the orders.
extension BatchingLeaseDesk: Service {
    package func run() async throws {
        let (overs, over) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    self.follow(self.standing.standing())
                    for await _ in self.standing.changes() { self.follow(self.standing.standing()) }
                }
                group.addTask {
                    await self.carryOut()
                    over.yield()
                }
                group.addTask {
                    do {
                        try await gracefulShutdown()
                        try await Task.sleep(for: self.stopLimit)
                    } catch { return }
                    self.logger.warning("leases could not be ended in time; others sweep them")
                    over.yield()
                }
                // Beside the statement in flight: a silent database would not let go of a stopping node.
                for await _ in overs { break }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop()
        }
        self.close()
    }

    /// Until the task is cancelled, or the node stops and all is ended.
    private func carryOut() async {
        await withDiscardingTaskGroup { group in
            var alarm = Alarm()
            for await _ in self.work {
                while !Task.isCancelled, let (order, right) = self.nextOrder(&alarm, &group) {
                    await self.perform(order, by: right)
                }
                if Task.isCancelled || self.hasEnded { break }
            }
            group.cancelAll()
        }
    }

    private var hasEnded: Bool { self.state.withLock { $0.isClosed && $0.leasing?.isIdle ?? true } }

    /// The next statement; nil when there is none yet, with somebody who pokes when there may be.
    private func nextOrder(
        _ alarm: inout Alarm, _ group: inout DiscardingTaskGroup
    ) -> (Leasing.Order, NodeRight)? {
        let now = SteadyClock.now()
        let next = self.state.withLock { state -> (Leasing.Next, NodeRight)? in
            guard let next = state.leasing?.next(at: now), let right = state.leasing?.right else {
                return nil
            }
            switch next.order {
            case .acquire?: state.counts.acquireStatements += 1
            case .end?: state.counts.endStatements += 1
            case .read?, .readLosses?: state.counts.readStatements += 1
            case nil: break
            }
            return (next, right)
        }
        guard let (next, right) = next else { return nil }
        if let order = next.order { return (order, right) }
        alarm.set(next.wakeAt, in: &group, self.poke)
        return nil
    }

    private func perform(_ order: Leasing.Order, by right: NodeRight) async {
        do throws(StoreError) {
            switch order {
            case .acquire(let requests):
                let answers = try await self.store.acquire(requests, by: right)
                self.apply(right) { $0.acquired(answers, at: SteadyClock.now()) }
            case .end(let titles):
                let answers = try await self.store.end(titles, by: right)
                self.apply(right) { $0.ended(answers, at: SteadyClock.now()) }
                self.freedBell.ring()
            case .read(let subjects):
                let records = try await self.store.leases(of: subjects)
                self.apply(right) { $0.read(records, at: SteadyClock.now()) }
            case .readLosses(let number):
                let losses = try await self.store.losses(of: right.incarnation, after: number)
                self.apply(right) { $0.lossesRead(losses) }
            }
        } catch {
            self.logger.debug("a statement about leases failed", metadata: ["error": "\(error)"])
            let failure = Leasing.Failure(error)
            self.apply(right) { $0.failed(failure, at: SteadyClock.now()) }
        }
    }

    /// Tells those who wait; nobody is told of an incarnation that has been replaced meanwhile, all were.
    private func apply(_ right: NodeRight, _ input: (inout Leasing) -> Leasing.Result) {
        let (result, told) = self.state.withLock { state in
            guard state.leasing?.right.incarnation == right.incarnation, var leasing = state.leasing else {
                return (Leasing.Result(), Self.Told())
            }
            state.leasing = nil  // So that it is changed in place.
            let result = input(&leasing)
            state.leasing = leasing
            return (result, Self.take(result, &state))
        }
        self.tell(result, told)
    }

    // MARK: Telling

    typealias Told = [(CheckedContinuation<Reply, Never>, Reply)]

    private static func take(_ result: Leasing.Result, _ state: inout State) -> Told {
        state.counts.lost += result.lost.count
        return result.replies.compactMap { reply in
            state.waiters.removeValue(forKey: reply.ticket).map { ($0, .told(reply.outcome)) }
        }
    }

    private func tell(_ result: Leasing.Result, _ told: Told) {
        for (waiter, reply) in told { waiter.resume(returning: reply) }
        for title in result.lost.prefix(10) {
            self.logger.warning(
                "a lease was lost",
                metadata: ["lease.subject": "\(title.subject)", "lease.epoch": "\(title.epoch)"])
        }
    }

    /// Notices a new incarnation, the death of the last one, and leases that were taken away.
    func follow(_ standing: Standing) {
        let losses = self.standing.leaseLosses()
        let (result, told) = self.state.withLock { state in
            var result = Leasing.Result()
            switch standing {
            case .serving(let right, _), .draining(let right, _), .stale(let right), .isolated(let right),
                .sick(let right, _):
                if let known = state.leasing?.right.incarnation, known >= right.incarnation { break }
                result = state.leasing?.died() ?? result
                if !state.isClosed { state.leasing = Leasing(right: right, limits: self.limits) }
            case .outside:
                result = state.leasing?.died() ?? result
            }
            if state.leasing?.right.incarnation == self.incarnation(of: standing) {
                state.leasing?.lossesAnnounced(losses)
            }
            return (result, Self.take(result, &state))
        }
        self.tell(result, told)
        self.poke.yield()
    }

    private func incarnation(of standing: Standing) -> Incarnation? {
        switch standing {
        case .serving(let right, _), .draining(let right, _), .stale(let right), .isolated(let right),
            .sick(let right, _):
            right.incarnation
        case .outside: nil
        }
    }

    private func stop() {
        let (result, told) = self.state.withLock { state in
            state.isClosed = true
            let result = state.leasing?.stopped(at: SteadyClock.now()) ?? Leasing.Result()
            return (result, Self.take(result, &state))
        }
        self.tell(result, told)
        self.poke.yield()
    }

    /// Nobody carries out anything any more.
    private func close() {
        let (result, told) = self.state.withLock { state in
            state.isClosed = true
            let result = state.leasing?.died() ?? Leasing.Result()
            return (result, Self.take(result, &state))
        }
        self.tell(result, told)
    }
}

extension Leasing.Failure {
    init(_ error: StoreError) {
        switch error {
        case .notRun(let reason): self = .notRun(reason)
        case .mayHaveRun(let reason): self = .mayHaveRun(reason)
        case .refused(LeaseCircle.sqlState, _): self = .circle
        case .refused(_, let message): self = .refused(message)
        // It ran, and what it did can be read.
        case .corrupt(let reason): self = .mayHaveRun(reason)
        }
    }
}
