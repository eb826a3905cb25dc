import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

extension TestDatabase {
    /// Runs SQL that no port offers.
    @discardableResult
    func sql(_ statement: PostgresStatement) async throws -> PostgresRows {
        try await self.pool.query(statement.unprepared())
    }

    func number(_ statement: PostgresStatement) async throws -> Int {
        try await self.sql(statement).exactlyOne()[0, as: Int.self]
    }

    /// A connection of its own on which locks can be held.
    func session() async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            self.configuration.pool.server, loop: self.loop, logger: self.logger)
    }

    /// Returns once so many sessions of this database wait for a lock.
    func waitForLockWaiters(_ count: Int) async throws {
        try await eventually("\(count) sessions wait for locks", within: .seconds(5)) {
            try await self.number(
                """
                select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'
                """) >= count
        }
    }

    /// Makes the node one that may accuse: just heard of, and without a gap for long.
    func trust(_ node: JoinedNode) async throws {
        try await self.sql(
            """
            update flotilla.member set hb_at = clock_timestamp(), up_since = clock_timestamp() - interval '1 minute'
            where incarnation = \(node.right.incarnation.rawValue)
            """)
    }

    /// Makes the node's last heartbeat as old as said; negative ages lie in the future.
    func silence(_ node: JoinedNode, milliseconds: Int) async throws {
        try await self.sql(
            """
            update flotilla.member set hb_at = clock_timestamp() - \(milliseconds) * interval '1 millisecond'
            where incarnation = \(node.right.incarnation.rawValue)
            """)
    }

    func account(_ name: String) async throws -> Account {
        let now = Date(timeIntervalSince1970: 1_700_000_000)
        let account = Account(
            id: AccountID(UUID()), name: try #require(AccountName(name)), enabled: true, passwordHash: nil,
            createdAt: now, changedAt: now, revision: 1)
        return try #require(try await self.store.create(account))
    }
}

extension JoinedNode {
    func accusation(of target: JoinedNode, heartbeats: Int64 = 0, watched: Duration) -> Accusation {
        Accusation(
            accuserSlot: self.right.slot, accuser: self.right.incarnation, target: target.right.slot,
            targetIncarnation: target.right.incarnation, heartbeats: heartbeats, watched: watched)
    }

    func operation(_ account: Account, id: UUID = UUID()) -> ClusterPorts.Operation {
        ClusterPorts.Operation(
            id: id, account: account.id, accountName: account.name,
            origin: TransferOrigin(
                node: self.right.name, protocol: "http", client: "10.0.0.1",
                startedAt: Date(timeIntervalSince1970: 1_700_000_000)))
    }

    func publication(_ path: String, _ account: Account, id: UUID = UUID()) throws -> Publication {
        Publication(
            operation: self.operation(account, id: id), path: try HomePath(bytes: Array(path.utf8)),
            staged: self.staged("\(id)"), digest: Digest([UInt8](repeating: 7, count: 32)), replaces: true)
    }

    func staged(_ file: String) -> StagedIdentity {
        StagedIdentity(
            name: StagedName(incarnation: self.right.incarnation, file: file),
            identity: FileIdentity(inode: .max - 1, size: 12, modified: 34, isFolder: false))
    }
}

func path(_ text: String) throws -> HomePath { try HomePath(bytes: Array(text.utf8)) }

func record(
    _ publication: Publication, _ status: TransferRecord.Status = .completed, by node: JoinedNode
) -> TransferRecord {
    TransferRecord(
        id: publication.operation.id, kind: .upload, status: status,
        account: publication.operation.accountName,
        path: publication.path, size: 12, digest: publication.digest, origin: publication.operation.origin,
        incarnation: node.right.incarnation,
        endedAt: status == .running ? nil : Date(timeIntervalSince1970: 1_700_000_001))
}
