import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import NIOCore

/// Limits, weights and places of kinds and accounts.
extension AdminResponder {
    func answerPolicies(
        _ route: JobRoute, _ request: Request, _ channel: any Channel
    ) async throws -> Response {
        switch route {
        case .policies:
            let policies = try await self.onStore { () async throws(StoreError) in
                try await self.jobs.policies()
            }
            let answers = policies.map { PolicyAnswer($0, scope: $0.scope.description) }
            return JSONText.response(.ok, PageAnswer(answers, next: nil))
        case .setPolicy(let text):
            let order = try PolicyOrder(try await self.body(of: request, channel))
            let scope = try await self.scope(text)
            if case .account = scope, order.perNode != nil {
                throw BodyFields.invalid("per_node", "only a kind can have it")
            }
            let revision = try AccountTag.revision(request.headers[.ifMatch])
            let policy = JobPolicy(
                scope: scope, slots: order.slots, perNode: order.perNode,
                weight: order.weight, requires: order.requires, revision: 0)
            let set = try await self.onStore { () async throws(StoreError) in
                try await self.jobs.set(policy, ifRevision: revision)
            }
            guard let set else {
                throw Problem(.preconditionFailed, .changed, "the policy of \(text) has changed meanwhile")
            }
            return JSONText.response(
                .ok, PolicyAnswer(set, scope: text), headers: [.eTag: AccountTag.text(set.revision)])
        case .removePolicy(let text):
            let scope = try await self.scope(text)
            let removed = try await self.onStore { () async throws(StoreError) in
                try await self.jobs.removePolicy(scope)
            }
            guard removed else { throw AdminProblems.unknown("policy", text) }
            return Response(status: .noContent)
        case .list, .submit, .counts, .show, .retry, .cancel, .delete, .many:
            preconditionFailure("\(route) concerns no policy")
        }
    }

    /// `kind:…`, or `account:` and the account's name.
    private func scope(_ text: String) async throws -> JobScope {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        if parts.count == 2, parts[0] == "kind", let kind = JobKind(parts[1]) { return .kind(kind) }
        guard parts.count == 2, parts[0] == "account" else { throw AdminProblems.unknown("scope", text) }
        do throws(AccountDeskError) {
            return .account(try await self.desk.account(named: parts[1]).id)
        } catch { throw AdminProblems.problem(error) }
    }
}
