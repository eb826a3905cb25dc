package import ClusterModel
package import ClusterPorts
package import Logging
import Synchronization

/// Clears what dead nodes left behind: rolls their decisions forward, reclaims their staging, ends their transfers.
///
/// Standing work: what an incarnation left belongs to its shard (``ShardNumber/init(of:)``), and the owner of that clears
/// it as soon as the heartbeat says that somebody departed. Once a minute it looks through the staging of those
/// cleared long ago, where a woken zombie may have made files again. What fails is logged and tried again by a later
/// round. Two at once do no harm; the statements that claim and close a departure prove the shard.
package final class Recovery: StandingWork {
    private struct State {
        var scan: Period
        var trash: Period
        var departures = ClearingOrder()
        var folders = ClearingOrder()
    }

    /// What came of an attempt.
    private enum Attempt {
        case done
        /// Something is left because of others, or because its time was over.
        case open
        case failed
    }

    package struct Limits: Sendable, Equatable {
        /// A round begins no other departure, and no other folder, after that.
        package var round: Duration = .seconds(3)
        /// One departure or folder begins no other step after that, so that it does not hold up the others.
        package var each: Duration = .seconds(2)

        package init() {}
    }

    private struct Period {
        var every: Duration
        var at: ContinuousClock.Instant

        mutating func isOver() -> Bool {
            let now = ContinuousClock.now
            guard now >= self.at else { return false }
            self.at = now + self.every
            return true
        }
    }

    package let name = "staging"
    private let vault: any FileVault
    private let cluster: any ClusterStore
    private let departures: any DepartureStore
    private let standing: any NodeStanding
    private let clearance: Clearance
    private let limits: Limits
    private let logger: Logger
    private let state: Mutex<State>

    private static let scanEvery: Duration = .seconds(60)
    private static let trashEvery: Duration = .seconds(10)
    /// When something of its own is left because somebody else has to sweep first.
    private static let openRest: Duration = .seconds(1)
    private static let failedRest: Duration = .seconds(5)
    private static let departuresAtOnce = 1_000
    private static let trashAtOnce = 1_000
    /// The trash is nobody's in particular.
    private static let trashShard = ShardNumber.all[0]
    /// Statements that clear one departure, about.
    private static let unitsOfDeparture = 5.0

    package init(
        vault: any FileVault, names: any NameStore, transfers: any TransferStore, segments: any SegmentFiles,
        cluster: any ClusterStore, departures: any DepartureStore, standing: any NodeStanding,
        limits: Limits = Limits(), logger: Logger
    ) {
        self.vault = vault
        self.cluster = cluster
        self.departures = departures
        self.standing = standing
        self.limits = limits
        self.logger = logger
        self.clearance = Clearance(
            vault: vault, names: names, transfers: transfers, segments: segments,
            rollForward: RollForward(vault: vault, transfers: transfers), logger: logger)
        self.state = Mutex(
            State(
                scan: Period(every: Self.scanEvery, at: .now + Self.scanEvery),
                trash: Period(every: Self.trashEvery, at: .now)))
    }

    /// Also for changes that do not concern it: a round without a departure asks nobody.
    package func calls() -> AsyncStream<Void> { self.standing.changes() }

    package func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        let isScanning = self.state.withLock { $0.scan.isOver() }
        var round = StandingRound(rest: Self.trashEvery)
        if self.standing.sweepDue() { round = await self.clearDepartures(of: shards, by: right, desk) }
        if isScanning { await self.lookThrough(shards, by: right, desk) }
        if shards.contains(where: { $0.number == Self.trashShard }),
            self.state.withLock({ $0.trash.isOver() })
        {
            await self.emptyTrash()
        }
        return round
    }

    /// Clears the departures that belong to these shards; never fails.
    package func clearDepartures(
        of shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        var round = StandingRound(rest: Self.trashEvery)
        let titles = Dictionary(shards.map { ($0.number, $0) }) { first, _ in first }
        let latest = ContinuousClock.now + self.limits.round
        var departures: [Incarnation: Departure] = [:]
        let read = await self.attempt("read the departures") {
            for departure in try await self.cluster.departures(limit: Self.departuresAtOnce)
            where titles[ShardNumber(of: departure.incarnation)] != nil {
                departures[departure.incarnation] = departure
            }
            return true
        }
        if read == .failed { round.rest = Self.failedRest }
        let due = departures.keys.sorted()
        for incarnation in self.state.withLock({ $0.departures.order(due) }) {
            let number = ShardNumber(of: incarnation)
            guard let title = titles[number], desk.holds(title), let departure = departures[incarnation],
                !Task.isCancelled
            else { continue }
            guard ContinuousClock.now < latest else {
                round.rest = min(round.rest, Self.openRest)
                break
            }
            let attempt = await self.attempt("clear what \(departure.name) left") {
                try await self.clear(departure, by: right, title, desk)
            }
            round.done[number, default: 0] += Self.unitsOfDeparture
            self.note(attempt, of: incarnation, \.departures)
            switch attempt {
            case .done: break
            case .open: round.rest = min(round.rest, Self.openRest)
            case .failed: round.rest = min(round.rest, Self.failedRest)
            }
        }
        return round
    }

    private func note(
        _ attempt: Attempt, of incarnation: Incarnation, _ list: WritableKeyPath<State, ClearingOrder>
    ) {
        self.state.withLock { state in
            switch attempt {
            case .done: state[keyPath: list].cleared(incarnation)
            case .open, .failed: state[keyPath: list].couldNotClear(incarnation)
            }
        }
    }

    /// Answers whether nothing is left of it for this node.
    private func clear(
        _ departure: Departure, by right: NodeRight, _ title: ShardTitle, _ desk: any ShardDesk
    ) async throws -> Bool {
        let incarnation = departure.incarnation
        switch try await self.departures.claimDeparture(of: incarnation, by: right, holding: title) {
        case .claimed: break
        case .cleared: return true
        case .lost:
            desk.lost(title)
            return true
        }
        try await self.clearance.clear(incarnation, until: .now + self.limits.each)
        return try await self.departures.closeDeparture(of: incarnation, by: right, holding: title)
    }

    private func emptyTrash() async {
        await self.attempt("empty the trash") {
            let removed = try await self.vault.emptyTrash(limit: Self.trashAtOnce)
            if removed > 0 { self.logger.debug("emptied the trash", metadata: ["entries": "\(removed)"]) }
            return true
        }
    }

    // MARK: What woken zombies make

    /// Looks through the staging of those that were cleared before; never fails.
    package func lookThrough(_ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk) async {
        let titles = Dictionary(shards.map { ($0.number, $0) }) { first, _ in first }
        let latest = ContinuousClock.now + self.limits.round
        var folders: [Incarnation] = []
        await self.attempt("look for staging") {
            folders = try await self.vault.stagingIncarnations().filter {
                $0 != right.incarnation && titles[ShardNumber(of: $0)] != nil && !self.isKnownToLive($0)
            }
            return true
        }
        for incarnation in self.state.withLock({ $0.folders.order(folders) }) {
            guard ContinuousClock.now < latest, !Task.isCancelled else { return }
            guard let title = titles[ShardNumber(of: incarnation)], desk.holds(title) else { continue }
            let attempt = await self.attempt("look through the staging of incarnation \(incarnation)") {
                try await self.lookThrough(incarnation, by: right)
                return true
            }
            self.note(attempt, of: incarnation, \.folders)
        }
    }

    private func lookThrough(_ incarnation: Incarnation, by right: NodeRight) async throws {
        // Whoever is not live in a view that is read now staged nothing of this by right.
        let listed = try await self.vault.staged(of: incarnation)
        let view = try await self.cluster.view()
        let departures = try await self.cluster.departures(limit: Self.departuresAtOnce)
        let verdict = StagingTriage.verdict(
            incarnation, own: right.incarnation, members: view.members, departures: departures)
        let latest = ContinuousClock.now + self.limits.each
        let count =
            switch verdict {
            case .leave: 0
            case .clear: try await self.clearance.clearStaging(of: incarnation, until: latest)
            case .clearKeepingFolder:
                try await self.clearance.discardUseless(listed, of: incarnation, until: latest)
            }
        if count > 0 {
            self.logger.notice(
                "removed what a dead node staged after its death",
                metadata: ["incarnation": "\(incarnation)", "count": "\(count)"])
        }
    }

    /// By the published view: whoever it shows alive is left alone, and nobody needs to ask the database for that.
    ///
    /// Should it have died since, the next scan is early enough.
    private func isKnownToLive(_ incarnation: Incarnation) -> Bool {
        self.standing.view()?.members.contains { $0.incarnation == incarnation && $0.status != .dead }
            ?? false
    }

    /// - Parameter work: answers whether nothing is left to do.
    @discardableResult
    private func attempt(_ what: String, _ work: () async throws -> Bool) async -> Attempt {
        do {
            return try await work() ? .done : .open
        } catch let error as Clearance.Unfinished {
            self.logger.debug(
                "recovery did not finish to \(what) and goes on later", metadata: ["reason": "\(error)"])
            return .open
        } catch {
            guard !Task.isCancelled else { return .failed }
            self.logger.warning(
                "recovery could not \(what) and tries again", metadata: ["reason": "\(error)"])
            return .failed
        }
    }
}
