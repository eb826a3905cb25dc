import ClusterModel
import ClusterPorts
import PostgresStore
import Synchronization

import struct Foundation.Date
import struct Foundation.UUID

/// One incarnation with rights of every kind, which will be evicted in the middle of its writes.
struct Victim: Sendable {
    let scene: Scene
    let right: NodeRight
    let account: AccountID
    let accountName: AccountName

    /// What a life has in hand; attempts take from it.
    struct Stock: Sendable {
        var leases: [LeaseTitle] = []
        var overdue: [LeaseTitle] = []
        var reservations: [(operation: Operation, path: HomePath)] = []
        var marks: [(operation: Operation, folder: HomePath)] = []
    }

    /// Enough that the dead has something of each kind left.
    func stockUp() async throws -> Stock {
        var stock = Stock()
        let requests = try (0..<24).map { number in
            LeaseRequest(subject: try self.subject(), deadline: number < 3 ? .seconds(3600) : nil)
        }
        for (request, answer) in zip(requests, try await self.scene.store.acquire(requests, by: self.right)) {
            guard case .granted(let epoch) = answer else { continue }
            let title = LeaseTitle(subject: request.subject, epoch: epoch)
            if request.deadline == nil { stock.leases.append(title) } else { stock.overdue.append(title) }
        }
        for _ in 0..<2 {
            let (operation, path) = (self.operation(), try self.path())
            if try await self.scene.store.reserve([path], for: operation, by: self.right) == .decided {
                stock.reservations.append((operation, path))
            }
        }
        let (operation, folder) = (self.operation(), try self.path())
        if try await self.scene.store.mark(folders: [folder], for: operation, by: self.right) == .decided {
            stock.marks.append((operation, folder))
        }
        return stock
    }

    // MARK: Things to write, with names that nobody else has

    func subject() throws -> LeaseSubject {
        guard let kind = LeaseKind("stale"), let subject = LeaseSubject(kind: kind, id: UUID().uuidString)
        else { throw SceneError(description: "no subject of a lease") }
        return subject
    }

    func path() throws -> HomePath { try HomePath(bytes: Array(UUID().uuidString.utf8)) }

    func operation() -> Operation {
        Operation(id: UUID(), account: self.account, accountName: self.accountName, origin: self.origin)
    }

    var origin: TransferOrigin {
        TransferOrigin(node: self.right.name, protocol: "http", client: "127.0.0.1", startedAt: Date())
    }

    var staged: StagedIdentity {
        StagedIdentity(
            name: StagedName(incarnation: self.right.incarnation, file: UUID().uuidString),
            identity: FileIdentity(inode: 1, size: 1, modified: 1, isFolder: false))
    }
}

/// What a life has left, shared by its writers.
final class SharedStock: Sendable {
    private let stock: Mutex<Victim.Stock>

    init(_ stock: Victim.Stock) { self.stock = Mutex(stock) }

    func take<Item: Sendable>(_ body: (inout sending Victim.Stock) -> sending Item) -> Item {
        self.stock.withLock { body(&$0) }
    }
}
