import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import ServiceLifecycle
import Synchronization

/// Starting, following the node's standing, and stopping.
extension JobRunner: Service {
    /// So often the standing is judged anew: a node whose database is silent hears of no change.
    private static let judgeEvery: Duration = .milliseconds(200)

    package func run() async throws {
        let (overs, over) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    self.follow(self.standing.standing())
                    for await _ in self.standing.changes() { self.follow(self.standing.standing()) }
                }
                group.addTask {
                    while !Task.isCancelled {
                        self.follow(self.standing.standing())
                        if case .over = self.goOnStopping() { over.yield() }
                        do { try await Task.sleep(for: Self.judgeEvery) } catch { return }
                    }
                }
                group.addTask { for await _ in self.doorbell.rings() { self.poke() } }
                group.addTask { await self.finishAll() }
                group.addTask { await self.readLosses() }
                group.addTask {
                    await self.claimAll()
                    over.yield()
                }
                // Beside the statement in flight: a silent database would not let go of a stopping node.
                for await _ in overs { break }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    // MARK: Standing

    func follow(_ standing: Standing) {
        let losses = self.standing.leaseLosses()
        let news = self.standing.jobNews()
        let view = self.standing.view()
        let isOverloaded = self.meter.map { $0.sample().load > ServingNodes.fullLoad } ?? false
        let now = SteadyClock.now()
        let cancelled = self.state.withLock { state -> [JobTitle] in
            var cancelled: [JobTitle] = []
            switch standing {
            case .serving(let right, _):
                cancelled += Self.adopt(right, &state)
                state.isIsolated = false
                state.claiming.roleChanged(state.stoppingSince == nil ? .claims : .holds)
            case .draining(let right, _), .stale(let right), .sick(let right, _):
                cancelled += Self.adopt(right, &state)
                state.isIsolated = false
                state.claiming.roleChanged(.holds)
            case .isolated(let right):
                cancelled += Self.adopt(right, &state)
                state.isIsolated = true
                state.claiming.roleChanged(.holds)
                cancelled += state.claiming.held.interruptedAll(reason: "the node was isolated")
            case .outside:
                cancelled += Self.die(&state)
            }
            state.claiming.viewChanged(view)
            state.claiming.loadSampled(isOverloaded: isOverloaded)
            state.claiming.newsHeard(news, at: now)
            if state.right != nil { state.lossesAnnounced = max(state.lossesAnnounced, losses) }
            cancelled += state.claiming.held.overdue(at: now)
            return cancelled
        }
        self.cancel(cancelled)
        self.claimPoke.yield()
        self.finishPoke.yield()
        self.lossPoke.yield()
    }

    /// Begins anew with a newer incarnation; answers whose handlers are to be cancelled.
    private static func adopt(_ right: NodeRight, _ state: inout State) -> [JobTitle] {
        if let newest = state.newest, newest >= right.incarnation { return [] }
        let cancelled = Self.die(&state)
        state.claiming.joined(slot: right.slot)
        state.right = right
        state.newest = right.incarnation
        state.lossesAnnounced = 0
        state.lossesRead = 0
        return cancelled
    }

    static func die(_ state: inout State) -> [JobTitle] {
        guard state.right != nil else { return [] }
        state.right = nil
        state.claiming.roleChanged(.holds)
        state.endings.died()
        state.ordered = []
        let cancelled = state.claiming.held.lostAll()
        state.counts.lost += cancelled.count
        return cancelled
    }

    // MARK: Stopping

    private func stop() {
        self.state.withLock { state in
            state.stoppingSince = state.stoppingSince ?? SteadyClock.now()
            state.claiming.roleChanged(.holds)
        }
        self.claimPoke.yield()
    }

    enum Stopping {
        case notYet(wakeAt: ClusterInstant?)
        case over
    }

    /// What a stopping node does next.
    func goOnStopping() -> Stopping {
        let now = SteadyClock.now()
        let (stopping, cancelled) = self.state.withLock { state -> (Stopping, [JobTitle]) in
            guard let since = state.stoppingSince else { return (.notYet(wakeAt: nil), []) }
            let isIdle = state.claiming.held.isEmpty && !state.claiming.isAsking
            if state.endings.count == 0 && (isIdle || state.right == nil) { return (.over, []) }
            // Only the database is waited for: it gets the time of the last statements, and no more.
            if state.claiming.held.running == 0 {
                let flushSince = state.flushingSince ?? now
                state.flushingSince = flushSince
                let flushAt = flushSince.advanced(by: self.settings.stopFlush)
                return (now >= flushAt ? .over : .notYet(wakeAt: flushAt), [])
            }
            state.flushingSince = nil
            let graceAt = since.advanced(by: self.settings.stopGrace)
            let limitAt = since.advanced(by: self.settings.stopLimit)
            guard now >= graceAt else { return (.notYet(wakeAt: graceAt), []) }
            var cancelled = state.claiming.held.interruptedAll(reason: "the node stops")
            guard now >= limitAt else { return (.notYet(wakeAt: limitAt), cancelled) }
            let flushAt = limitAt.advanced(by: self.settings.stopFlush)
            cancelled += self.giveBackAll(&state)
            return (now >= flushAt ? .over : .notYet(wakeAt: flushAt), cancelled)
        }
        self.cancel(cancelled)
        self.finishPoke.yield()
        return stopping
    }

    /// For handlers that do not return; whatever they do from now on is fenced.
    private func giveBackAll(_ state: inout State) -> [JobTitle] {
        let titles = state.claiming.held.titles.filter { title in
            switch state.claiming.held.phase(of: title) {
            case .running?, .interrupted?: true
            case .lost?, .ending?, nil: false
            }
        }
        for title in titles {
            _ = state.claiming.held.lost(title)
            state.endings.ended(
                JobEnding(title: title, end: .givenBack(reason: "the node stops, its handler does not")))
            self.logger.warning(
                "a handler heeds no cancellation; its job is given back", metadata: ["job.id": "\(title.job)"]
            )
        }
        return titles
    }
}
