import ClusterModel
import ClusterPorts
import FileService
import Foundation
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Accounts and their keys.
extension AdminResponder {
    func answerAccounts(
        _ route: AdminRoute, _ request: Request, _ target: RequestTarget, _ channel: any Channel
    ) async throws -> Response {
        if route == .accounts { return try await self.listAccounts(target.query) }
        try QueryReader(target.query).finish()
        switch route {
        case .createAccount:
            let asked = try AccountCreation(try await self.body(of: request, channel))
            let account = try await self.desk.create(
                name: asked.name, password: asked.password, adopting: asked.adopts, quota: asked.quota)
            return try await self.show(account, .created, location: "/api/v1/accounts/\(account.name)")
        case .account(let name): return try await self.show(try await self.desk.account(named: name), .ok)
        case .recount(let name):
            return try await self.show(try await self.desk.recount(name: name), .accepted)
        case .changeAccount(let name):
            let asked = try AccountPatch(
                try await self.body(of: request, channel), ifMatch: request.headers[.ifMatch])
            return try await self.show(
                try await self.desk.change(
                    name: name, enabled: asked.enabled, password: asked.password,
                    quotaBytes: asked.quotaBytes, quotaFiles: asked.quotaFiles, ifRevision: asked.revision),
                .ok)
        case .keys(let account):
            let keys = try await self.desk.keys(account: account)
            return JSONText.response(.ok, PageAnswer(keys.map { KeyAnswer($0) }, next: nil))
        case .createKey(let account):
            let asked = try KeyCreation(try await self.body(of: request, channel))
            let (key, secret) = try await self.desk.createKey(
                account: account, label: asked.label, expiresAt: asked.expiresAt)
            return JSONText.response(.created, KeyAnswer(key, secret: secret))
        case .revokeKey(let account, let text):
            guard let id = UUID(uuidString: text) else { throw AdminProblems.unknown("key", text) }
            try await self.desk.revokeKey(account: account, id: id)
            return Response(status: .noContent)
        case .document, .cluster, .nodes, .node, .drain, .resume, .evict, .changeNode, .views, .leases,
            .lease, .endLease, .watch,
            .transfers,
            .transfer, .accounts, .cache, .webhook, .jobs, .schedule, .shards, .uploads, .sessions:
            preconditionFailure("\(route) does not concern one account")
        }
    }

    private func show(
        _ account: Account, _ status: HTTPResponse.Status, location: String? = nil
    ) async throws -> Response {
        let quota = try await self.desk.quotas(of: [account])[account.id]
        var headers: HTTPFields = [.eTag: AccountTag.text(account.revision)]
        headers[.location] = location
        return JSONText.response(status, AccountAnswer(account, quota), headers: headers)
    }

    private func listAccounts(_ query: [RequestTarget.QueryItem]) async throws -> Response {
        let filters = try AccountFilters(query)
        let found = try await self.desk.accounts(
            after: filters.after, enabled: filters.enabled, limit: filters.limit + 1)
        let page = found.prefix(filters.limit)
        // The desk's own bound hides whether there is one more.
        let more = found.count > filters.limit || found.count == AccountFilters.longest
        let next = more ? page.last.map { filters.next(after: $0.name) } : nil
        let quotas = try await self.desk.quotas(of: Array(page))
        return JSONText.response(
            .ok, PageAnswer(page.map { AccountAnswer($0, quotas[$0.id]) }, next: next))
    }
}
