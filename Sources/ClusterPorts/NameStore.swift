package import ClusterModel

package import struct Foundation.Date
package import struct Foundation.UUID

/// The names that are being changed: one row for each path with an unfinished change (docs/FILES.md has the protocol).
///
/// A row is *reserved* (may be abandoned) or *decided* (never taken back; any node rolls it forward). Each call
/// is one autocommit statement that locks the member's row `FOR KEY SHARE` and proves that it lives (R3).
package protocol NameStore: Sendable {
    /// Decides publications that need no look at the disk first, in one statement; answers in their order.
    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer]

    /// Takes the names of one operation, all or none, without deciding yet.
    ///
    /// Answers `busyFolder` below a folder that another operation has marked, and otherwise keeps it from being drained
    /// (``unfinished(account:below:limit:)`` shows it): what is looked at meanwhile is not moved or removed with a
    /// folder above.
    func reserve(_ names: [HomePath], for operation: Operation, by right: NodeRight) async throws(StoreError)
        -> DecisionAnswer

    /// Turns the operation's reservation into a decision, and adds its cost to the use of the account, all or nothing.
    ///
    /// - Parameter cost: looked at under the reservation; without one, a metered account is answered `metered`. Of an
    ///   account that is not metered nothing is counted.
    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer

    /// Gives up the reservation that this incarnation made for the operation; a decision stays. Needs no right.
    ///
    /// A job uses the id of a change in each of its runs. One run never gives up what the next has reserved: those of
    /// other nodes have another incarnation, those of the same node another start.
    func abandon(_ operation: Operation, of incarnation: Incarnation) async throws(StoreError)

    /// Marks folders as being moved or removed, so that nothing is decided below them until ``release(folders:of:by:)``
    /// or until the marker dies. Answers `busyFolder` when one of them, or one above or below, is marked already.
    func mark(folders: [HomePath], for operation: Operation, by right: NodeRight) async throws(StoreError)
        -> DecisionAnswer
    func release(folders: [HomePath], of operation: Operation, by right: NodeRight) async throws(StoreError)

    /// The unfinished change of a name, if there is one.
    func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName?
    /// Those below a folder, the folder's own name left out.
    func unfinished(account: AccountID, below folder: HomePath, limit: Int) async throws(StoreError)
        -> [UnfinishedName]
    /// Those of a departed incarnation.
    func unfinished(of incarnation: Incarnation, limit: Int) async throws(StoreError) -> [UnfinishedName]
    /// Gives up all reservations and folder marks of a departed incarnation. Answers how many.
    func abandonAll(of departed: Incarnation) async throws(StoreError) -> Int

    /// Removes the rows of decided operations and writes the transfer log, in one statement. Answers the operations
    /// whose rows this call removed; the others were finished by somebody else.
    func finish(_ finished: [FinishedOperation]) async throws(StoreError) -> Set<UUID>
}

extension NameStore {
    /// Without a cost: for accounts without a quota.
    package func decide(
        _ change: NameChange, of operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.decide(change, costing: nil, of: operation, by: right)
    }
}

/// Who asks for a change of names; its id is the transfer's id too.
package struct Operation: Sendable, Hashable {
    package var id: UUID
    package var account: AccountID
    package var accountName: AccountName
    package var origin: TransferOrigin

    package init(id: UUID, account: AccountID, accountName: AccountName, origin: TransferOrigin) {
        self.id = id
        self.account = account
        self.accountName = accountName
        self.origin = origin
    }
}

/// How a transfer came in.
package struct TransferOrigin: Sendable, Hashable, Codable {
    package var node: NodeName
    package var `protocol`: String
    /// The client's address, without port.
    package var client: String
    package var startedAt: Date

    package init(node: NodeName, protocol: String, client: String, startedAt: Date) {
        self.node = node
        self.protocol = `protocol`
        self.client = client
        self.startedAt = startedAt
    }
}

/// A staged file or folder that shall become visible under a path.
package struct Publication: Sendable, Hashable {
    package var operation: Operation
    package var path: HomePath
    package var staged: StagedIdentity
    /// Nil for a folder.
    package var digest: Digest?
    /// False: something that stands at the path stays, and the publication fails.
    package var replaces: Bool

    package init(
        operation: Operation, path: HomePath, staged: StagedIdentity, digest: Digest?, replaces: Bool
    ) {
        self.operation = operation
        self.path = path
        self.staged = staged
        self.digest = digest
        self.replaces = replaces
    }
}

/// A decided change of names.
package enum NameChange: Sendable, Hashable {
    /// The staged thing gets the path.
    case publish(path: HomePath, staged: StagedIdentity, digest: Digest?, replaces: Bool)
    /// The thing with this identity moves to another path of the home, where nothing stands.
    case move(from: HomePath, to: HomePath, FileIdentity)
    /// The thing with this identity goes away.
    case remove(HomePath, FileIdentity)
}

/// What tells one file or folder from another that has the same name: an inode number alone is used again.
package struct FileIdentity: Sendable, Hashable, Codable {
    package var inode: UInt64
    /// In bytes; 0 for a folder, whose size means nothing.
    package var size: Int64
    /// Of the last change of content, nanoseconds since 1970.
    ///
    /// For a folder, whose time changes with its entries, that of its birth, or 0 where the file system does not
    /// tell; all nodes must mount it so that they agree.
    package var modified: Int64
    package var isFolder: Bool

    package init(inode: UInt64, size: Int64, modified: Int64, isFolder: Bool) {
        self.inode = inode
        self.size = size
        self.modified = modified
        self.isFolder = isFolder
    }
}

/// Something in staging, sealed.
package struct StagedIdentity: Sendable, Hashable {
    package var name: StagedName
    package var identity: FileIdentity

    package init(name: StagedName, identity: FileIdentity) {
        self.name = name
        self.identity = identity
    }
}

/// A name below staging that nobody else ever uses: `i<incarnation>/<operation>-<random>`, or, for a segment of a
/// resumable upload, `u<incarnation>/.<upload>-<random>`.
///
/// Programs that know no segments look only into folders that begin with `i`, and refuse names that begin with a dot:
/// they neither clear segments away nor take a decided one for gone.
package struct StagedName: Sendable, Hashable, CustomStringConvertible {
    package var incarnation: Incarnation
    /// One component, without slash.
    package var file: String

    package init(incarnation: Incarnation, file: String) {
        self.incarnation = incarnation
        self.file = file
    }

    /// Whether it is a segment of a resumable upload.
    package var isSegment: Bool { self.file.hasPrefix(".") }
    package var folder: String { (self.isSegment ? "u" : "i") + "\(self.incarnation)" }
    package var description: String { "\(self.folder)/\(self.file)" }
}

package enum DecisionAnswer: Sendable, Hashable {
    case decided
    /// The incarnation lives no more. Nothing happened, and nothing of this node may happen again.
    case fenced
    /// The name has an unfinished change of another operation. A decided one can be rolled forward.
    case busyName
    /// A folder above the path is being moved or removed.
    case busyFolder
    /// The account is gone, or the reservation is.
    case gone
    /// The account has a quota: its changes are reserved, looked at and decided with their cost.
    case metered
    /// It would exceed the account's quota. Nothing happened; a reservation is still there.
    case overQuota(QuotaRefusal)
}

package struct UnfinishedName: Sendable, Hashable {
    package var operation: Operation
    package var incarnation: Incarnation
    package var path: HomePath
    /// Nil while it is only reserved.
    package var change: NameChange?

    package init(operation: Operation, incarnation: Incarnation, path: HomePath, change: NameChange?) {
        self.operation = operation
        self.incarnation = incarnation
        self.path = path
        self.change = change
    }
}

/// A decided operation after its change was carried out, or was found impossible.
package struct FinishedOperation: Sendable, Hashable {
    package var operation: Operation
    /// The names whose rows go away.
    package var names: [HomePath]
    package var record: TransferRecord

    package init(operation: Operation, names: [HomePath], record: TransferRecord) {
        self.operation = operation
        self.names = names
        self.record = record
    }
}
