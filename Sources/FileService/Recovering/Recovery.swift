import ClusterModel
package import ClusterPorts
package import Logging
import ServiceLifecycle

/// Clears what dead nodes left behind: rolls their decisions forward, reclaims their staging, ends their transfers.
///
/// Works when the heartbeat says that somebody departed, and every 10 s in any case; one live node at a time clears a
/// departure. Now and then it looks through the staging of those cleared long ago, where a woken zombie may have
/// made files again. What fails is logged and tried again by the next round; nothing here ends the node.
package final class Recovery: Service {
    private let vault: any FileVault
    private let cluster: any ClusterStore
    private let standing: any NodeStanding
    private let clearance: Clearance
    private let logger: Logger

    private static let roundEvery: Duration = .seconds(10)
    private static let roundsBetweenScans = 6
    private static let departuresAtOnce = 20
    private static let trashAtOnce = 1_000

    package init(
        vault: any FileVault, names: any NameStore, transfers: any TransferStore, cluster: any ClusterStore,
        standing: any NodeStanding, logger: Logger
    ) {
        self.vault = vault
        self.cluster = cluster
        self.standing = standing
        self.logger = logger
        self.clearance = Clearance(
            vault: vault, names: names, transfers: transfers,
            rollForward: RollForward(vault: vault, transfers: transfers), logger: logger)
    }

    package func run() async throws {
        let (signals, signal) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                group.addTask {
                    for await _ in self.standing.changes() where self.standing.sweepDue() {
                        signal.yield(false)
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        signal.yield(true)
                        do { try await Task.sleep(for: Self.roundEvery) } catch { return }
                    }
                }
                group.addTask {
                    var timed = 0
                    for await isTimed in signals {
                        if isTimed { timed += 1 }
                        await self.round(scanning: isTimed && timed.isMultiple(of: Self.roundsBetweenScans))
                    }
                }
            }
        }
    }

    /// One round; never fails.
    ///
    /// For tests, and for the loop.
    ///
    /// - Parameter scanning: also looks through the staging of those cleared before.
    package func round(scanning: Bool) async {
        guard let right = self.workingRight() else { return }
        await self.clearDepartures(by: right)
        if scanning {
            await self.attempt("look through staging") { try await self.scan(by: right) }
        }
        await self.attempt("empty the trash") {
            let removed = try await self.vault.emptyTrash(limit: Self.trashAtOnce)
            if removed > 0 { self.logger.debug("emptied the trash", metadata: ["entries": "\(removed)"]) }
        }
    }

    private func clearDepartures(by right: NodeRight) async {
        var departures: [Departure] = []
        await self.attempt("read the departures") {
            departures = try await self.cluster.departures(limit: Self.departuresAtOnce)
        }
        for departure in departures where self.workingRight() == right {
            await self.attempt("clear what \(departure.name) left") {
                guard try await self.cluster.claimDeparture(of: departure.incarnation, by: right) else {
                    return
                }
                try await self.clearance.clear(departure.incarnation)
                try await self.cluster.closeDeparture(of: departure.incarnation, by: right)
            }
        }
    }

    /// By the published view: whoever it shows alive is left alone, and nobody needs to ask the database for that.
    ///
    /// Should it have died since, the next scan is early enough.
    private func isKnownToLive(_ incarnation: Incarnation) -> Bool {
        self.standing.view()?.members.contains { $0.incarnation == incarnation && $0.status != .dead }
            ?? false
    }

    private func scan(by right: NodeRight) async throws {
        for incarnation in try await self.vault.stagingIncarnations()
        where incarnation != right.incarnation && !self.isKnownToLive(incarnation) {
            // Whoever is not live in a view that is read now staged nothing of this by right.
            let listed = try await self.vault.staged(of: incarnation)
            let view = try await self.cluster.view()
            let departures = try await self.cluster.departures(limit: 1_000)
            let verdict = StagingTriage.verdict(
                incarnation, own: right.incarnation, members: view.members, departures: departures)
            let count =
                switch verdict {
                case .leave: 0
                case .clear: try await self.clearance.clearStaging(of: incarnation)
                case .clearKeepingFolder: try await self.clearance.discardUseless(listed, of: incarnation)
                }
            if count > 0 {
                self.logger.notice(
                    "removed what a dead node staged after its death",
                    metadata: ["incarnation": "\(incarnation)", "count": "\(count)"])
            }
        }
    }

    /// Only a node that serves, or drains, clears for others.
    private func workingRight() -> NodeRight? {
        switch self.standing.standing() {
        case .serving(let right, _), .draining(let right, _): right
        case .outside, .stale, .isolated, .sick: nil
        }
    }

    private func attempt(_ what: String, _ work: () async throws -> Void) async {
        do { try await work() } catch {
            guard !Task.isCancelled else { return }
            self.logger.warning(
                "recovery could not \(what) and tries again", metadata: ["reason": "\(error)"])
        }
    }
}
