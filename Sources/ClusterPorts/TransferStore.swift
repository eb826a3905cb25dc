package import ClusterModel

package import struct Foundation.Date
package import struct Foundation.UUID

/// The transfer log: one record for each upload, download and change of names, kept until retention.
package protocol TransferStore: Sendable {
    /// Writes records that no decision goes with: downloads, failures, and transfers that take long enough to be
    /// listed while they run. A record that is there already is replaced unless it has ended.
    func record(_ records: [TransferRecord], by right: NodeRight) async throws(StoreError)

    /// Ends the running transfers of a departed incarnation as failed. Answers how many.
    func endRunning(of departed: Incarnation, reason: String) async throws(StoreError) -> Int

    /// Removes records of transfers that were listed while they ran, and end without one of their own; 1,000 at most.
    func unlist(_ ids: [UUID]) async throws(StoreError)

    func transfer(id: UUID) async throws(StoreError) -> TransferRecord?

    /// One page, in the order asked for.
    func transfers(_ query: TransferQuery) async throws(StoreError) -> [TransferRecord]
}

package struct TransferRecord: Sendable, Hashable {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case upload, download, delete, move, folder
    }
    package enum Status: String, Sendable, Codable, CaseIterable {
        case running, completed, failed
    }
    package var id: UUID
    package var kind: Kind
    package var status: Status
    package var account: AccountName
    package var path: HomePath
    /// Where a move went.
    package var target: HomePath?
    /// Bytes moved so far, or in all.
    package var size: Int64
    package var digest: Digest?
    package var origin: TransferOrigin
    package var incarnation: Incarnation
    package var endedAt: Date?
    /// Why it failed, for people.
    package var reason: String?

    package init(
        id: UUID, kind: Kind, status: Status, account: AccountName, path: HomePath, target: HomePath? = nil,
        size: Int64, digest: Digest?, origin: TransferOrigin, incarnation: Incarnation, endedAt: Date?,
        reason: String? = nil
    ) {
        self.id = id
        self.kind = kind
        self.status = status
        self.account = account
        self.path = path
        self.target = target
        self.size = size
        self.digest = digest
        self.origin = origin
        self.incarnation = incarnation
        self.endedAt = endedAt
        self.reason = reason
    }
}

/// What to list of the transfer log; a nil filter lets everything through.
package struct TransferQuery: Sendable, Hashable {
    package enum Sort: String, Sendable, CaseIterable {
        case started, ended, size
    }
    package var account: AccountName?
    package var kind: TransferRecord.Kind?
    package var status: TransferRecord.Status?
    package var node: NodeName?
    package var `protocol`: String?
    package var digest: Digest?
    package var path: HomePath?
    /// Paths below a folder.
    package var below: HomePath?
    /// Moves that went to one of these; at most 1,000.
    package var targets: [HomePath] = []
    package var startedFrom: Date?
    package var startedBefore: Date?
    package var endedFrom: Date?
    package var endedBefore: Date?
    package var sizeFrom: Int64?
    package var sizeTo: Int64?
    package var sort: Sort = .started
    package var descending = true
    /// The sort value and id of the last record of the page before.
    package var after: Position?
    /// 1 to 1,000.
    package var limit = 100

    package init() {}

    /// A place in the list that stays where it is while records come and go.
    package struct Position: Sendable, Hashable, Codable {
        /// Microseconds since 1970, or bytes; nil for a record that has not ended.
        package var value: Int64?
        package var id: UUID

        package init(value: Int64?, id: UUID) {
            self.value = value
            self.id = id
        }
    }
}
