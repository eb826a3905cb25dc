import ClusterModel
import ClusterPorts
import Foundation

/// Names that do what a test says before and after each decision, and before each read.
struct HookedNames: NameStore {
    typealias Hook = @Sendable () async throws(StoreError) -> Void

    let inner: any NameStore
    var beforeDecide: Hook = {}
    var afterDecide: Hook = {}
    var beforeRead: Hook = {}

    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        try await self.beforeDecide()
        let answers = try await self.inner.decide(publications, by: right)
        try await self.afterDecide()
        return answers
    }
    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: ClusterPorts.Operation,
        by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.beforeDecide()
        let answer = try await self.inner.decide(
            change, costing: cost, of: operation, by: right)
        try await self.afterDecide()
        return answer
    }
    func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName? {
        try await self.beforeRead()
        return try await self.inner.unfinished(account: account, path: path)
    }
    func reserve(
        _ names: [HomePath], for operation: ClusterPorts.Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.inner.reserve(names, for: operation, by: right)
    }
    func abandon(
        _ operation: ClusterPorts.Operation, of incarnation: Incarnation
    ) async throws(StoreError) {
        try await self.inner.abandon(operation, of: incarnation)
    }
    func mark(
        folders: [HomePath], for operation: ClusterPorts.Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.inner.mark(folders: folders, for: operation, by: right)
    }
    func release(
        folders: [HomePath], of operation: ClusterPorts.Operation, by right: NodeRight
    ) async throws(StoreError) {
        try await self.inner.release(folders: folders, of: operation, by: right)
    }
    func unfinished(
        account: AccountID, below folder: HomePath, limit: Int
    ) async throws(StoreError) -> [UnfinishedName] {
        try await self.inner.unfinished(account: account, below: folder, limit: limit)
    }
    func unfinished(of incarnation: Incarnation, limit: Int) async throws(StoreError) -> [UnfinishedName] {
        try await self.inner.unfinished(of: incarnation, limit: limit)
    }
    func abandonAll(of departed: Incarnation) async throws(StoreError) -> Int {
        try await self.inner.abandonAll(of: departed)
    }
    func finish(_ finished: [FinishedOperation]) async throws(StoreError) -> Set<UUID> {
        try await self.inner.finish(finished)
    }
}
