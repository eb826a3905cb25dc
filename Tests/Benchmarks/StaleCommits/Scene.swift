import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import Logging
import PostgresDriver
import PostgresStore

/// What the lives of all victims have in common: the database, and the loads' wishes.
struct Scene: Sendable {
    let pool: PostgresPool
    let store: PostgresStore
    let lines: PostgresHeartbeatLines
    let tally: CommitTally
    /// Some statements are replaced by those of ``NaiveCommits``: then the load must find violations.
    let isBroken: Bool
    /// Whether commits are stamped, so that their order can be judged.
    let judgesOrder: Bool

    /// Draws a number, and joins with it.
    func join() async throws -> Victim {
        try await self.join(try await self.store.nextIncarnation(above: nil))
    }

    /// With an account and its home for what it publishes.
    func join(_ incarnation: Incarnation) async throws -> Victim {
        guard case .joined(let slot, let name) = try await self.store.join(.test(incarnation, named: nil))
        else { throw SceneError(description: "incarnation \(incarnation) could not join") }
        guard let account = AccountName("a\(incarnation.rawValue)") else {
            throw SceneError(description: "incarnation \(incarnation) makes no name of an account")
        }
        let id = AccountID(UUID())
        _ = try await self.store.create(
            Account(
                id: id, name: account, enabled: true, passwordHash: nil, createdAt: Date(), changedAt: Date(),
                revision: 1))
        return Victim(
            scene: self, right: NodeRight(slot: slot, incarnation: incarnation, name: name), account: id,
            accountName: account)
    }

    /// Slots for all who are dead and not replaced yet, too.
    func prepare(logger: Logger) async throws {
        _ = try await SchemaMigrator(pool: self.pool, logger: logger).run()
        _ = try await self.pool.query("update flotilla.cluster set member_limit = 200")
        try await Witness.prepare(self.pool)
    }
}

struct SceneError: Error, CustomStringConvertible {
    let description: String
}
