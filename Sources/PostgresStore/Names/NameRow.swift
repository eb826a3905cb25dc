import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.UUID

/// How an unfinished change of a name is read from and written to its row.
enum NameRow {
    static let columns: PostgresStatement = """
        n.operation, n.account_id, n.account_name, n.node, n.protocol, n.client, n.started_at, n.incarnation, n.path,
        n.change, coalesce(n.subject, n.path), n.target, n.staged_incarnation, n.staged_file, n.inode, n.size,
        n.modified, n.is_folder, n.digest, n.replaces
        """

    /// A change, spread over the row's columns.
    struct Columns {
        var change: String
        var subject: [UInt8]
        var target: Data?
        var stagedIncarnation: Int64?
        var stagedFile: String?
        var inode: Int64
        var size: Int64
        var modified: Int64
        var isFolder: Bool
        var digest: Data?
        var replaces: Bool?

        init(_ change: NameChange) {
            switch change {
            case .publish(let path, let staged, let digest, let replaces):
                self.init("publish", path, staged.identity)
                self.stagedIncarnation = staged.name.incarnation.rawValue
                self.stagedFile = staged.name.file
                self.digest = digest.map { Data($0.bytes) }
                self.replaces = replaces
            case .move(let from, let target, let identity):
                self.init("move", from, identity)
                self.target = Data(target.bytes)
            case .remove(let path, let identity):
                self.init("remove", path, identity)
            }
        }

        private init(_ change: String, _ subject: HomePath, _ identity: FileIdentity) {
            self.change = change
            self.subject = subject.bytes
            self.inode = Int64(bitPattern: identity.inode)
            self.size = identity.size
            self.modified = identity.modified
            self.isFolder = identity.isFolder
        }
    }

    static func unfinished(_ row: PostgresRow) throws(StoreError) -> UnfinishedName {
        let (id, account, accountName, node, `protocol`, client, startedAt, incarnation, path) =
            try row.readingFirst()
        let operation = Operation(
            id: id, account: AccountID(account), accountName: try AccountName(stored: accountName),
            origin: TransferOrigin(
                node: try NodeName(stored: node), protocol: `protocol`, client: client, startedAt: startedAt))
        return UnfinishedName(
            operation: operation, incarnation: try Incarnation(stored: incarnation),
            path: try HomePath(stored: path), change: try Self.change(row))
    }

    private static func change(_ row: PostgresRow) throws(StoreError) -> NameChange? {
        guard let kind = try row.reading(column: 9, as: String?.self) else { return nil }
        let subject = try HomePath(stored: row.reading(column: 10, as: [UInt8].self))
        let identity = FileIdentity(
            inode: UInt64(bitPattern: try row.reading(column: 14, as: Int64.self)),
            size: try row.reading(column: 15, as: Int64.self),
            modified: try row.reading(column: 16, as: Int64.self),
            isFolder: try row.reading(column: 17, as: Bool.self))
        switch kind {
        case "publish":
            let name = StagedName(
                incarnation: try Incarnation(stored: row.reading(column: 12, as: Int64.self)),
                file: try row.reading(column: 13, as: String.self))
            return .publish(
                path: subject, staged: StagedIdentity(name: name, identity: identity),
                digest: try Digest?(stored: row.reading(column: 18, as: [UInt8]?.self)),
                replaces: try row.reading(column: 19, as: Bool.self))
        case "move":
            return .move(
                from: subject, to: try HomePath(stored: row.reading(column: 11, as: [UInt8].self)), identity)
        case "remove": return .remove(subject, identity)
        default: throw .corrupt("“\(kind)” is no change of a name")
        }
    }
}

extension PostgresRow {
    /// The columns of the operation, of the incarnation and of the path.
    fileprivate func readingFirst() throws(StoreError) -> (
        UUID, UUID, String, String, String, String, Date, Int64, [UInt8]
    ) {
        (
            try self.reading(column: 0, as: UUID.self), try self.reading(column: 1, as: UUID.self),
            try self.reading(column: 2, as: String.self), try self.reading(column: 3, as: String.self),
            try self.reading(column: 4, as: String.self), try self.reading(column: 5, as: String.self),
            try self.reading(column: 6, as: Date.self), try self.reading(column: 7, as: Int64.self),
            try self.reading(column: 8, as: [UInt8].self)
        )
    }
}

extension DecisionAnswer {
    init(stored text: String) throws(StoreError) {
        switch text {
        case "decided": self = .decided
        case "fenced": self = .fenced
        case "busyName": self = .busyName
        case "busyFolder": self = .busyFolder
        case "gone": self = .gone
        case "metered": self = .metered
        default: throw .corrupt("“\(text)” is no answer to a decision")
        }
    }
}

extension HomePath {
    init(stored bytes: [UInt8]) throws(StoreError) {
        do throws(Fault) {
            self = try HomePath(bytes: bytes)
        } catch {
            throw .corrupt("\(error)")
        }
    }
}

extension AccountName {
    init(stored text: String) throws(StoreError) {
        guard let name = AccountName(text) else { throw .corrupt("“\(text)” is no name of an account") }
        self = name
    }
}

extension Digest {
    init(stored bytes: [UInt8]) throws(StoreError) {
        guard let digest = Digest(bytes) else { throw .corrupt("a digest has \(bytes.count) bytes") }
        self = digest
    }
}

extension Digest? {
    init(stored bytes: [UInt8]?) throws(StoreError) {
        if let bytes { self = try Digest(stored: bytes) } else { self = nil }
    }
}
