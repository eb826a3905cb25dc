package import ClusterModel
package import ClusterPorts

import struct Foundation.UUID

extension PostgresStore: ClaimedNames {
    package func names(holding title: JobTitle, enabled accounts: [AccountID]) -> any NameStore {
        ClaimedNameStore(store: self, title: title, accounts: accounts)
    }
}

/// The names as one job takes and decides them; everything that needs no right is the store's own.
struct ClaimedNameStore: NameStore {
    let store: PostgresStore
    let title: JobTitle
    let accounts: [AccountID]

    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        let me = Fragments.me(
            right, holding: self.title, for: publications.map(\.operation.id), enabled: self.accounts)
        return try await self.store.decide(publications, me: me, by: right)
    }

    func reserve(
        _ names: [HomePath], for operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        let me = Fragments.me(right, holding: self.title, for: [operation.id], enabled: self.accounts)
        return try await self.store.reserve(names, for: operation, me: me, by: right)
    }

    func decide(
        _ change: NameChange, of operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        let me = Fragments.me(right, holding: self.title, for: [operation.id], enabled: self.accounts)
        return try await self.store.decide(change, of: operation, me: me, by: right)
    }

    func abandon(_ operation: Operation, of incarnation: Incarnation) async throws(StoreError) {
        try await self.store.abandon(operation, of: incarnation)
    }

    /// Not for jobs: a mark is known by its operation, and a late release of one run would free the folder of the next.
    func mark(
        folders: [HomePath], for operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        throw .refused(sqlState: "0A000", message: "jobs mark no folders")
    }

    func release(
        folders: [HomePath], of operation: Operation, by right: NodeRight
    ) async throws(StoreError) {
        throw .refused(sqlState: "0A000", message: "jobs mark no folders")
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
