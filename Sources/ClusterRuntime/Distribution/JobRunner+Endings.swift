import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import Synchronization

/// Telling the store how claims ended, and hearing which were taken away.
extension JobRunner {
    func finishAll() async {
        await withDiscardingTaskGroup { group in
            var alarm = Alarm()
            for await _ in self.finishWork {
                while !Task.isCancelled {
                    let now = SteadyClock.now()
                    let (next, right) = self.state.withLock { state in
                        guard let right = state.right, !state.isIsolated else {
                            return (JobEndings.Next(), NodeRight?.none)
                        }
                        let next = state.endings.next(at: now)
                        if case .finish? = next.order { state.counts.finishStatements += 1 }
                        return (next, right)
                    }
                    alarm.set(next.wakeAt, in: &group, self.finishPoke)
                    guard let order = next.order, let right else { break }
                    await self.perform(order, by: right)
                    // Slots of limits, the bound of endings, and a stop that waits for them.
                    self.claimPoke.yield()
                }
            }
            group.cancelAll()
        }
    }

    private func perform(_ order: JobEndings.Order, by right: NodeRight) async {
        do throws(StoreError) {
            switch order {
            case .finish(let endings):
                let answers = try await self.store.finish(endings, by: right)
                self.finished(answers, of: right)
            case .readClaims:
                let titles = Set(try await self.claims(of: right).map(\.title))
                self.state.withLock { state in
                    guard state.right?.incarnation == right.incarnation else { return }
                    for ending in state.endings.claimsRead(titles) {
                        state.claiming.settled(ending.title)
                        state.ordered.remove(ending.title)
                    }
                }
                // Whichever of them had a key, nobody knows.
                self.orderedEnds.ring()
            }
        } catch {
            self.logger.debug("endings of jobs were not taken", metadata: ["error": "\(error)"])
            let failure = JobEndings.Failure(error)
            self.state.withLock { state in
                guard state.right?.incarnation == right.incarnation else { return }
                state.endings.failed(failure, at: SteadyClock.now())
            }
        }
    }

    private func finished(_ answers: [JobEndAnswer], of right: NodeRight) {
        let (fenced, hasOrdered, hasGivenBack) = self.state.withLock { state in
            var fenced: [JobTitle] = []
            var hasOrdered = false
            var hasGivenBack = false
            guard state.right?.incarnation == right.incarnation else { return (fenced, false, false) }
            for (ending, answer) in state.endings.finished(answers) {
                state.claiming.settled(ending.title)
                if state.ordered.remove(ending.title) != nil { hasOrdered = true }
                switch (answer, ending.end) {
                case (.fenced, _):
                    state.counts.fenced += 1
                    fenced.append(ending.title)
                case (.accepted, .done): state.counts.done += 1
                case (.accepted, .retry): state.counts.retried += 1
                case (.accepted, .postponed): state.counts.postponed += 1
                case (.accepted, .failed), (.acceptedAsFailed, _): state.counts.failed += 1
                case (.accepted, .givenBack):
                    state.counts.givenBack += 1
                    hasGivenBack = true
                }
            }
            return (fenced, hasOrdered, hasGivenBack)
        }
        if hasOrdered { self.orderedEnds.ring() }
        if hasOrdered || hasGivenBack { self.doorbell.ring() }
        for title in fenced.prefix(10) {
            self.logger.info(
                "a job's end came too late: its claim was gone",
                metadata: ["job.id": "\(title.job)", "job.epoch": "\(title.epoch)"])
        }
    }

    // MARK: Losses

    /// Reads what was taken from this living node, whenever a heartbeat says that there is more of it.
    func readLosses() async {
        for await _ in self.lossWork {
            while !Task.isCancelled {
                let due = self.state.withLock { state -> (NodeRight, read: Int64, announced: Int64)? in
                    guard let right = state.right, !state.isIsolated,
                        state.lossesRead < state.lossesAnnounced
                    else { return nil }
                    return (right, state.lossesRead, state.lossesAnnounced)
                }
                guard let (right, read, announced) = due else { break }
                do {
                    let losses = try await self.losses.losses(of: right.incarnation, after: read)
                    // What was announced and is not there was forgotten.
                    self.taken(losses, upTo: losses.map(\.number).max() ?? announced, of: right)
                } catch {
                    self.logger.debug("lost claims were not read", metadata: ["error": "\(error)"])
                    // The next judging of the standing pokes again.
                    break
                }
            }
        }
    }

    private func taken(_ losses: [LeaseLoss], upTo number: Int64, of right: NodeRight) {
        self.state.withLock { state in
            guard state.right?.incarnation == right.incarnation else { return }
            state.lossesRead = max(state.lossesRead, number)
        }
        let titles = losses.compactMap { loss -> JobTitle? in
            guard loss.title.subject.kind.description == Self.lossKind,
                let number = Int64(loss.title.subject.id), let job = JobID(rawValue: number)
            else { return nil }
            return JobTitle(job: job, epoch: loss.title.epoch)
        }
        self.lose(titles, of: right)
    }

    /// As which kind of lease claims that were taken away are told.
    static let lossKind = "job"

    func lose(_ titles: [JobTitle], of right: NodeRight) {
        let lost = self.state.withLock { state -> [JobTitle] in
            guard state.right?.incarnation == right.incarnation else { return [] }
            for title in titles {
                state.endings.lost(title)
                state.ordered.remove(title)
            }
            let lost = titles.filter { state.claiming.lost($0) }
            state.counts.lost += lost.count
            return lost
        }
        self.cancel(lost)
        for title in lost.prefix(10) {
            self.logger.info(
                "a claim was taken away", metadata: ["job.id": "\(title.job)", "job.epoch": "\(title.epoch)"])
        }
    }
}

extension JobEndings.Failure {
    init(_ error: StoreError) {
        switch error {
        case .notRun: self = .notRun
        // Two statements waited for each other: nothing was done, and the same may go through.
        case .refused(LeaseCircle.sqlState, _): self = .notRun
        case .refused(_, let message): self = .refused(message)
        case .mayHaveRun, .corrupt: self = .mayHaveRun
        }
    }
}
