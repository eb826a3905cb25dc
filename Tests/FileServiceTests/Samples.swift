import ClusterModel
import ClusterPorts
import Foundation
import Testing

/// Values that tests are made of.
enum Samples {
    struct Unfit: Error {}

    static func path(_ text: String) throws -> HomePath { try HomePath(bytes: Array(text.utf8)) }

    static func incarnation(_ number: Int64) throws -> Incarnation {
        guard let incarnation = Incarnation(rawValue: number) else { throw Unfit() }
        return incarnation
    }

    static func right(_ number: Int64 = 1) throws -> NodeRight {
        guard let name = NodeName("node-\(number)") else { throw Unfit() }
        return NodeRight(slot: Slot(Int16(number)), incarnation: try Self.incarnation(number), name: name)
    }

    static func operation(account: UUID = UUID()) throws -> ClusterPorts.Operation {
        guard let name = AccountName("acme"), let node = NodeName("node-1") else { throw Unfit() }
        return ClusterPorts.Operation(
            id: UUID(), account: AccountID(account), accountName: name,
            origin: TransferOrigin(
                node: node, protocol: "http", client: "127.0.0.1", startedAt: Date(timeIntervalSince1970: 0)))
    }

    static let file = FileIdentity(inode: 7, size: 11, modified: 13, isFolder: false)
    static let folder = FileIdentity(inode: 8, size: 0, modified: 0, isFolder: true)

    static func staged(_ file: String = "x", of number: Int64 = 1) throws -> StagedIdentity {
        StagedIdentity(
            name: StagedName(incarnation: try Self.incarnation(number), file: file), identity: Self.file)
    }

    static func publication(_ text: String, account: UUID = UUID()) throws -> Publication {
        Publication(
            operation: try Self.operation(account: account), path: try Self.path(text),
            staged: try Self.staged(),
            digest: nil, replaces: true)
    }

    static func status(_ kind: FileStatus.Kind) -> FileStatus {
        FileStatus(
            kind: kind, identity: kind == .folder ? Self.folder : Self.file, changed: 17, modified: 13)
    }

    static func record(_ operation: ClusterPorts.Operation, _ status: TransferRecord.Status) throws
        -> TransferRecord
    {
        TransferRecord(
            id: operation.id, kind: .upload, status: status, account: operation.accountName, path: .home,
            size: 0,
            digest: nil, origin: operation.origin, incarnation: try Self.incarnation(1),
            endedAt: status == .running ? nil : Date(timeIntervalSince1970: 1))
    }

    static func finished(_ text: String = "f") throws -> FinishedOperation {
        let operation = try Self.operation()
        return FinishedOperation(
            operation: operation, names: [try Self.path(text)], record: try Self.record(operation, .completed)
        )
    }
}
