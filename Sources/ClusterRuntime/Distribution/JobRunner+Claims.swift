import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import Synchronization

/// Looking for jobs, claiming them, and having them run.
extension JobRunner {
    /// Until the task is cancelled, or the node stops and nothing is in hand.
    func claimAll() async {
        await withDiscardingTaskGroup { group in
            var alarm = Alarm()
            var stopAlarm = Alarm()
            for await _ in self.claimWork {
                while !Task.isCancelled {
                    let (next, right) = self.nextClaim()
                    alarm.set(next.wakeAt, in: &group, self.claimPoke)
                    guard let order = next.order, let right else { break }
                    await self.perform(order, by: right, &group)
                }
                if Task.isCancelled { break }
                switch self.goOnStopping() {
                case .over:
                    group.cancelAll()
                    return
                case .notYet(let wakeAt): stopAlarm.set(wakeAt, in: &group, self.claimPoke)
                }
            }
            group.cancelAll()
        }
    }

    private func nextClaim() -> (Claiming.Next, NodeRight?) {
        let now = SteadyClock.now()
        let (next, right, overdue) = self.state.withLock { state in
            guard let right = state.right, !state.isIsolated else {
                return (Claiming.Next(), NodeRight?.none, [JobTitle]())
            }
            var next = state.claiming.next(at: now, endingsWaiting: state.endings.count)
            switch next.order {
            case .survey?: state.counts.surveys += 1
            case .claim?: state.counts.claimStatements += 1
            case .readClaims?, nil: break
            }
            let overdue = state.claiming.held.overdue(at: now)
            if let overdueAt = state.claiming.held.nextOverdueAt {
                next.wakeAt = min(next.wakeAt ?? overdueAt, overdueAt)
            }
            return (next, right, overdue)
        }
        self.cancel(overdue)
        return (next, right)
    }

    private func perform(
        _ order: Claiming.Order, by right: NodeRight, _ group: inout DiscardingTaskGroup
    ) async {
        do throws(StoreError) {
            switch order {
            case .survey(let after, let lanes, let depth):
                let page = try await self.store.survey(after: after, lanes: lanes, depth: depth)
                self.apply(right) { $0.claiming.surveyed(page, at: SteadyClock.now()) }
            case .claim(let shares):
                let jobs = try await self.store.claim(shares, by: right)
                self.begin(jobs, of: right, &group)
            case .readClaims:
                let claims = try await self.claims(of: right)
                self.apply(right) { state in
                    for job in state.claiming.claimsRead(claims, at: SteadyClock.now()) {
                        let end = JobEnd.givenBack(reason: "its holder did not know of the claim")
                        state.endings.ended(JobEnding(title: job.title, end: end))
                    }
                }
                self.finishPoke.yield()
            }
        } catch {
            self.logger.debug("a statement about jobs failed", metadata: ["error": "\(error)"])
            let failure = Claiming.Failure(error)
            self.apply(right) { $0.claiming.failed(failure, at: SteadyClock.now()) }
        }
    }

    /// All of them; there are no more than this node has room for, and what a few lost answers granted.
    func claims(of right: NodeRight) async throws(StoreError) -> [ClaimedJob] {
        var claims: [ClaimedJob] = []
        while true {
            let page = try await self.store.claims(of: right, after: claims.last?.title)
            claims += page
            if page.count < 1_000 { return claims }
        }
    }

    /// Answers of an incarnation that has been replaced meanwhile concern nobody.
    private func apply(_ right: NodeRight, _ input: (inout State) -> Void) {
        self.state.withLock { state in
            guard state.right?.incarnation == right.incarnation else { return }
            input(&state)
        }
    }

    // MARK: Running

    private func begin(_ jobs: [ClaimedJob]?, of right: NodeRight, _ group: inout DiscardingTaskGroup) {
        let isWelcome = !self.isDraining
        let (begun, cancelled) = self.state.withLock { state -> ([ClaimedJob], [JobTitle]) in
            // Of a dead incarnation: others sweep them.
            guard state.right?.incarnation == right.incarnation else { return ([], []) }
            let welcome = state.claiming.claimed(jobs)
            guard let claimed = jobs?.count else { return ([], Self.die(&state)) }
            let jobs = welcome
            state.counts.claimed += claimed
            for job in jobs where job.isOrdered { state.ordered.insert(job.title) }
            guard isWelcome else {
                for job in jobs {
                    let end = JobEnd.givenBack(reason: "the node takes nothing new")
                    guard let end = state.claiming.held.returned(job.title, end) else { continue }
                    state.endings.ended(JobEnding(title: job.title, end: end))
                }
                return ([], [])
            }
            for job in jobs { state.attendants[job.title] = Attendant() }
            return (jobs, [])
        }
        self.cancel(cancelled)
        if begun.isEmpty { self.finishPoke.yield() }
        for job in begun {
            group.addTask { await self.attend(job) }
        }
    }

    /// Runs the handler, and cancels it when the claim is lost.
    private func attend(_ job: ClaimedJob) async {
        guard let handler = self.handlers[job.kind] else {
            return self.returned(job.title, .givenBack(reason: "the node has no handler of \(job.kind)"))
        }
        // It may have been taken away since it was claimed: then nobody begins it here.
        guard self.state.withLock({ $0.claiming.held.phase(of: job.title) }) == .running else {
            return self.returned(job.title, .givenBack(reason: "the claim was lost before it began"))
        }
        let end = await withTaskGroup(of: JobEnd.self) { group in
            group.addTask {
                let end = await handler.run(job, self)
                self.rouse(job.title, cancels: false)
                return end
            }
            if await self.untilRoused(job.title) { group.cancelAll() }
            return await group.next() ?? .givenBack(reason: "its handler did not run")
        }
        self.returned(job.title, end)
    }

    private func returned(_ title: JobTitle, _ end: JobEnd) {
        let now = SteadyClock.now()
        let overdue = self.state.withLock { state in
            state.attendants[title] = nil
            // A handler may see its deadline before the alarm rings: the attempt counts all the same.
            let overdue = state.claiming.held.overdue(at: now)
            if let end = state.claiming.held.returned(title, end) {
                state.endings.ended(JobEnding(title: title, end: end))
            }
            return overdue
        }
        self.cancel(overdue)
        self.finishPoke.yield()
        self.claimPoke.yield()
    }

    /// True: the handler is to be cancelled.
    ///
    /// False: it has returned.
    private func untilRoused(_ title: JobTitle) async -> Bool {
        await withCheckedContinuation { continuation in
            let cancels = self.state.withLock { state -> Bool? in
                guard let attendant = state.attendants[title] else { return true }
                if let cancels = attendant.cancels { return cancels }
                state.attendants[title]?.waiter = continuation
                return nil
            }
            if let cancels { continuation.resume(returning: cancels) }
        }
    }

    private func rouse(_ title: JobTitle, cancels: Bool) {
        let waiter = self.state.withLock { state in
            let waiter = state.attendants[title]?.waiter
            state.attendants[title]?.waiter = nil
            state.attendants[title]?.cancels = cancels
            return waiter
        }
        waiter?.resume(returning: cancels)
    }

    func cancel(_ titles: [JobTitle]) {
        for title in titles { self.rouse(title, cancels: true) }
    }
}

extension Claiming.Failure {
    init(_ error: StoreError) {
        switch error {
        case .notRun, .refused: self = .notRun
        // What it did can be read.
        case .mayHaveRun, .corrupt: self = .mayHaveRun
        }
    }
}
