import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import PostgresDriver
import Testing

extension TestCluster {
    /// Sets the limits of “acme”.
    func limit(bytes: Int64? = nil, files: Int64? = nil) async throws {
        func change(_ most: Int64?) -> LimitChange { most.map { .at($0) } ?? .unlimited }
        _ = try await self.store.change(
            self.account.name, AccountChange(quotaBytes: change(bytes), quotaFiles: change(files)),
            ifRevision: nil)
    }

    func quota() async throws -> AccountQuota? {
        try await self.store.quota(of: self.account.id, besides: nil)
    }

    func use() async throws -> HomeUse { try #require(try await self.quota()).use }

    /// What is below the home.
    func onDisk() async throws -> HomeUse {
        try #require(try await self.vault.tally(below: .home, in: self.account.name, limit: .max))
    }

    /// As a front door sees the account that has these limits.
    func caller(bytes: Int64?, files: Int64? = nil) -> Caller {
        var caller = self.caller
        caller.account.quota = Quota(limits: bytes, files)
        return caller
    }

    /// Writes a file as another program does.
    func drop(_ path: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(self.folder)/homes/acme/\(path)"))
    }

    /// One round of counting by a node that has all shards.
    @discardableResult
    func count(at node: TestNode, _ tally: (any HomeTally)? = nil) async throws -> StandingRound {
        _ = try await self.store.orderCount(of: self.account.id)
        let shards = try await self.give(node)
        return await HomeCounting(
            counts: self.store, vault: tally ?? self.vault, logger: TestCluster.logger
        ).round(shards, by: node.right, ShardHands())
    }

    /// Rows of names that are not finished.
    func openNames() async throws -> Int {
        try await self.database.pool.query("select count(*) from flotilla.name").exactlyOne()[0, as: Int.self]
    }

    /// Whether the error says that the quota has no room.
    static func isOverQuota(_ error: any Error) -> Bool {
        if case .overQuota = error as? FileServiceError { return true }
        return false
    }
}

extension TestNode {
    /// Answers whether it fitted.
    func fits(_ path: String, _ text: String) async throws -> Bool {
        do {
            try await self.put(path, text) { $0.makesParents = true }
            return true
        } catch {
            guard TestCluster.isOverQuota(error) else { throw error }
            return false
        }
    }

    func remove(_ path: String) async throws {
        _ = try await self.files.remove(
            try Samples.path(path), by: self.cluster.caller, recursive: true, ifMatch: nil)
    }

    func move(_ from: String, _ target: String) async throws {
        _ = try await self.files.move(
            try Samples.path(from), to: try Samples.path(target), by: self.cluster.caller)
    }
}

/// Names that charge what somebody makes of the cost.
struct MischargingNames: ForwardingNames {
    let inner: any NameStore
    let charge: @Sendable (NameChange, ChangeCost) -> ChangeCost

    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: ClusterPorts.Operation,
        by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.inner.decide(
            change, costing: cost.map { self.charge(change, $0) }, of: operation, by: right)
    }
}

/// Counts, and does what a test says before the walk ends.
struct HookedTally: HomeTally {
    let inner: any HomeTally
    let afterwards: @Sendable () async throws -> Void

    func tally(
        below folder: HomePath, in account: AccountName, limit: Int
    ) async throws(VaultError) -> HomeUse? {
        let found = try await self.inner.tally(below: folder, in: account, limit: limit)
        do { try await self.afterwards() } catch { throw .failed("\(error)") }
        return found
    }
}
