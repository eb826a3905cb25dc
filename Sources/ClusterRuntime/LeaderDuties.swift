import ClusterModel
package import ClusterPorts
package import Logging
import ServiceLifecycle

/// What only the leader does: it forgets members that have been dead for long.
///
/// Who leads is decided by ``Coordinator`` and the cluster's row; each write here carries the term.
package final class LeaderDuties: Service {
    private let store: any ClusterStore
    private let board: StandingBoard
    private let every: Duration
    private let logger: Logger

    /// Dead members and cleared departures are shown for so long.
    private static let deadKeptFor: Duration = .seconds(7 * 86_400)

    package init(
        store: any ClusterStore, board: StandingBoard, every: Duration = .seconds(60), logger: Logger
    ) {
        self.store = store
        self.board = board
        self.every = every
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if let leader = self.board.leading() { await self.prune(by: leader) }
                do { try await Task.sleep(for: self.every) } catch { return }
            }
        }
    }

    private func prune(by leader: LeaderRight) async {
        do {
            let pruned = try await self.store.prune(olderThan: Self.deadKeptFor, by: leader)
            guard pruned > 0 else { return }
            self.logger.info("forgot members that were dead for long", metadata: ["members": "\(pruned)"])
        } catch {
            self.logger.debug("the long dead were not pruned", metadata: ["error": "\(error)"])
        }
    }
}
