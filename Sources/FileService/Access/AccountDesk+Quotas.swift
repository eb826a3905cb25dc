package import ClusterModel
package import ClusterPorts

extension AccountDesk {
    /// How accounts stand with their quotas; those without one are left out.
    ///
    /// 1,000 accounts at most.
    package func quotas(
        of accounts: [Account]
    ) async throws(AccountDeskError) -> [AccountID: AccountQuota] {
        let limited = accounts.filter { $0.quota != nil }.map(\.id)
        guard !limited.isEmpty else { return [:] }
        return try await self.asking { () async throws(StoreError) in
            try await self.quotas.quotas(of: limited)
        }
    }

    /// Has the home counted soon, by whoever has its shard; answers the account.
    package func recount(name: String) async throws(AccountDeskError) -> Account {
        try self.checkStanding()
        let account = try await self.account(named: name)
        let isOrdered = try await self.asking { () async throws(StoreError) in
            try await self.quotas.orderCount(of: account.id)
        }
        guard isOrdered else {
            throw .invalid(
                field: "name", reason: "the account \(name) has no quota, so its home is not counted")
        }
        return account
    }
}
