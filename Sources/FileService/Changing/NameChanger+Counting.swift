import ClusterModel
import ClusterPorts

/// Changes of accounts with a quota: reserved, looked at, and decided with their exact cost (docs/QUOTAS.md).
extension NameChanger {
    /// How often one change looks because the account's quota appears or goes away just then.
    private static let looks = 4

    func publishCounted(
        _ publication: Publication, by right: NodeRight, lookAgain: () async throws(FileServiceError) -> Void
    ) async throws(ChangeFailure) -> CarriedOut {
        var isFirst = true
        return try await self.change([publication.path], for: publication.operation, by: right) {
            () async throws(FileServiceError) in
            if !isFirst { try await lookAgain() }
            isFirst = false
            return .publish(
                path: publication.path, staged: publication.staged, digest: publication.digest,
                replaces: publication.replaces)
        }
    }

    /// Decides what is reserved; looks what it costs as soon as the account is known to have a quota.
    func decide(
        _ change: NameChange, of operation: Operation, holding held: HomeUse = .none, by right: NodeRight
    ) async throws -> DecisionAnswer {
        var answer = DecisionAnswer.metered
        for _ in 0..<Self.looks where answer == .metered {
            var cost: ChangeCost?
            if self.metered.has(operation.account) {
                cost = try await self.cost(of: change, holding: held, in: operation.accountName)
            }
            answer = try await self.names.decide(change, costing: cost, of: operation, by: right)
            if answer == .metered { self.metered.learn(operation.account) }
        }
        return answer
    }

    /// Under the reservation, so nobody of ours changes meanwhile what is looked at; folders are marked besides.
    private func cost(
        of change: NameChange, holding held: HomeUse, in account: AccountName
    ) async throws(FileServiceError) -> ChangeCost {
        let vault = self.rollForward.vault
        switch change {
        case .publish(let path, let staged, _, _):
            let found =
                staged.identity.isFolder
                ? nil
                : try await onMount(path) { () async throws(VaultError) in
                    try await vault.status(of: path, in: account)
                }
            return QuotaRules.cost(ofPublishing: staged.identity, holding: held, over: found)
        case .move(_, _, let identity): return QuotaRules.cost(ofMoving: identity)
        case .remove(let path, let identity):
            guard identity.isFolder else { return QuotaRules.cost(ofRemoving: identity) }
            let held = try await onMount(path) { () async throws(VaultError) in
                try await vault.tally(below: path, in: account, limit: self.countedEntries)
            }
            return QuotaRules.cost(ofRemovingFolderWith: held)
        }
    }
}
