package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

extension PostgresStore: ClaimedNames, UploadNames {
    package func names(holding title: JobTitle, enabled accounts: [AccountID]) -> any NameStore {
        ClaimedNameStore(store: self, proof: .job(title, enabled: accounts))
    }

    package func names(finishing title: UploadTitle) -> any NameStore {
        ClaimedNameStore(store: self, proof: .upload(title))
    }
}

/// The names as one job, or whoever may write an upload, takes and decides them; everything that needs no right is the
/// store's own.
struct ClaimedNameStore: NameStore {
    enum Proof {
        case job(JobTitle, enabled: [AccountID])
        case upload(UploadTitle)
    }

    let store: PostgresStore
    let proof: Proof

    private func me(_ right: NodeRight, for operations: [UUID]) -> PostgresStatement {
        switch self.proof {
        case .job(let title, let accounts):
            Fragments.me(right, holding: title, for: operations, enabled: accounts)
        case .upload(let title): Fragments.me(right, finishing: title)
        }
    }

    /// What changes with the decision besides the name's row.
    private var effect: PostgresStatement? {
        switch self.proof {
        case .job: nil
        case .upload(let title): Fragments.decided(title)
        }
    }

    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        let me = self.me(right, for: publications.map(\.operation.id))
        return try await self.store.decide(publications, me: me, effect: self.effect, by: right)
    }

    func reserve(
        _ names: [HomePath], for operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        let me = self.me(right, for: [operation.id])
        return try await self.store.reserve(names, for: operation, me: me, by: right)
    }

    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        let me = self.me(right, for: [operation.id])
        return try await self.store.decide(
            change, costing: cost, of: operation, me: me, effect: self.effect, by: right)
    }

    func abandon(_ operation: Operation, of incarnation: Incarnation) async throws(StoreError) {
        try await self.store.abandon(operation, of: incarnation)
    }

    /// Not for these: a mark is known by its operation, and a late release of one run would free the folder of the next.
    func mark(
        folders: [HomePath], for operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        throw .refused(sqlState: "0A000", message: "jobs and uploads mark no folders")
    }

    func release(
        folders: [HomePath], of operation: Operation, by right: NodeRight
    ) async throws(StoreError) {
        throw .refused(sqlState: "0A000", message: "jobs and uploads mark no folders")
    }

    func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName? {
        try await self.store.unfinished(account: account, path: path)
    }

    func unfinished(
        account: AccountID, below folder: HomePath, limit: Int
    ) async throws(StoreError) -> [UnfinishedName] {
        try await self.store.unfinished(account: account, below: folder, limit: limit)
    }

    func unfinished(of incarnation: Incarnation, limit: Int) async throws(StoreError) -> [UnfinishedName] {
        try await self.store.unfinished(of: incarnation, limit: limit)
    }

    func abandonAll(of departed: Incarnation) async throws(StoreError) -> Int {
        try await self.store.abandonAll(of: departed)
    }

    func finish(_ finished: [FinishedOperation]) async throws(StoreError) -> Set<UUID> {
        try await self.store.finish(finished)
    }
}
