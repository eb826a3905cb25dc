import ClusterModel
import ClusterPorts
import Foundation

/// Names that hand on what they do not do themselves.
protocol ForwardingNames: NameStore {
    var inner: any NameStore { get }
}

extension ForwardingNames {
    func decide(
        _ publications: [Publication], by right: NodeRight
    ) async throws(StoreError) -> [DecisionAnswer] {
        try await self.inner.decide(publications, by: right)
    }
    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: ClusterPorts.Operation,
        by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.inner.decide(
            change, costing: cost, of: operation, by: right)
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
    func unfinished(account: AccountID, path: HomePath) async throws(StoreError) -> UnfinishedName? {
        try await self.inner.unfinished(account: account, path: path)
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
