import ClusterModel
import ClusterPorts
import Foundation

/// Names that do what a test says before and after each decision, and before each read.
struct HookedNames: ForwardingNames {
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
}
