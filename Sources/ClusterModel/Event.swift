package import struct Foundation.Date
package import struct Foundation.UUID

/// What happened to a file or folder.
package enum EventKind: String, Hashable, Sendable, Codable, CaseIterable {
    case filePublished = "file.published"
    case fileRemoved = "file.removed"
    case fileMoved = "file.moved"
    case folderCreated = "folder.created"
    case folderRemoved = "folder.removed"
    case folderMoved = "folder.moved"
}

/// Counts events, one sequence for the cluster.
///
/// Of two changes of one path the later has the higher number.
package struct EventID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Always positive.
    package let rawValue: Int64

    /// Answers nil for numbers that no database of ours issues.
    package init?(rawValue: Int64) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    package static func < (left: EventID, right: EventID) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }
}

/// A change that somebody was to be told of, written by the statement that made it final.
package struct EventRecord: Hashable, Sendable {
    package var id: EventID
    /// By the database's clock.
    package var at: Date
    package var kind: EventKind
    package var account: AccountName
    package var path: HomePath
    /// Where a move went.
    package var target: HomePath?
    /// In bytes; 0 for a folder.
    package var size: Int64
    package var digest: Digest?
    /// The change's id, which is the transfer's too.
    package var operation: UUID
    /// Where the change was asked for.
    package var node: String
    /// One for each webhook that matched.
    package var jobs: [JobID]

    package init(
        id: EventID, at: Date, kind: EventKind, account: AccountName, path: HomePath, target: HomePath?,
        size: Int64, digest: Digest?, operation: UUID, node: String, jobs: [JobID]
    ) {
        self.id = id
        self.at = at
        self.kind = kind
        self.account = account
        self.path = path
        self.target = target
        self.size = size
        self.digest = digest
        self.operation = operation
        self.node = node
        self.jobs = jobs
    }
}
