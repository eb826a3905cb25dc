import ClusterModel
import ClusterPorts
import Logging
import ServiceLifecycle
import Synchronization

/// Looks after what requests left behind, while this node lives; afterwards ``Recovery`` of others does.
final class Aftercare: Sendable {
    private let names: any NameStore
    private let vault: any FileVault
    private let standing: any NodeStanding
    private let rollForward: RollForward
    private let log: TransferLog
    private let logger: Logger
    private let queue: Mutex<AftercareQueue>
    private static let lookEvery: Duration = .milliseconds(100)
    private static let looksAtOnce = 100

    init(
        names: any NameStore, vault: any FileVault, standing: any NodeStanding, rollForward: RollForward,
        log: TransferLog, limit: Int, logger: Logger
    ) {
        self.names = names
        self.vault = vault
        self.standing = standing
        self.rollForward = rollForward
        self.log = log
        self.logger = logger
        self.queue = Mutex(AftercareQueue(limit: limit))
    }

    func add(_ leftover: Leftover) {
        guard !self.queue.withLock({ $0.add(leftover, at: .now) }) else { return }
        self.logger.error("too much is left behind; it stays until this node has restarted")
    }

    var isEmpty: Bool { self.queue.withLock { $0.isEmpty } }

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await Task.sleep(for: Self.lookEvery) } catch { return }
                for entry in self.queue.withLock({ $0.take(at: .now, limit: Self.looksAtOnce) }) {
                    let finding = await self.look(entry.leftover)
                    self.queue.withLock { $0.looked(entry, finding, at: .now) }
                }
            }
        }
    }

    private func look(_ leftover: Leftover) async -> AftercareQueue.Finding {
        switch self.standing.standing() {
        case .isolated(let right) where right.incarnation == leftover.right.incarnation: return .failed
        case .sick(let right, _) where right.incarnation == leftover.right.incarnation: return .failed
        case let standing where standing.right?.incarnation == leftover.right.incarnation: break
        // Dead, or another incarnation by now: whoever clears the departure does the rest.
        default: return .done
        }
        do {
            switch leftover {
            case .marks(let folders, let operation, let right):
                // The change they are for comes first.
                _ = try await self.look(operation, folders, right, staged: nil)
                try await self.names.release(folders: folders, of: operation, by: right)
                return .nothing
            case .change(let operation, let paths, let right, let staged):
                return try await self.look(operation, paths, right, staged: staged)
            case .unknown(let operation, let change, let right, let record):
                let names = RollForwardPlan.names(of: change)
                let staged = RollForwardPlan.staged(by: change)
                let finding = try await self.look(operation, names, right, staged: staged)
                // Nothing staged is left to be shown. A record that has ended stays as it is.
                if finding == .nothing { await self.log.record(record) }
                return finding
            }
        } catch {
            self.logger.debug("a leftover waits", metadata: ["reason": "\(error)"])
            return .failed
        }
    }

    private func look(
        _ operation: Operation, _ paths: [HomePath], _ right: NodeRight, staged: StagedName?
    ) async throws -> AftercareQueue.Finding {
        guard let path = paths.first else { return .done }
        let row = try await self.names.unfinished(account: operation.account, path: path)
        guard let row, row.operation.id == operation.id else {
            if let staged { try await self.vault.discard(staged) }
            return .nothing
        }
        guard let change = row.change else {
            try await self.names.abandon(operation, of: right.incarnation)
            if let staged { try await self.vault.discard(staged) }
            return .nothing
        }
        // The next run of a job has decided under the same id; what this one staged shows nobody.
        if let staged, staged != RollForwardPlan.staged(by: change) { try await self.vault.discard(staged) }
        let carried = try await self.rollForward.carry(row.operation, change, by: row.incarnation)
        _ = try await self.names.finish([carried.finished])
        return .done
    }
}
