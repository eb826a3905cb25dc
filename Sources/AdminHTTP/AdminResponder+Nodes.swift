import ClusterModel
import ClusterPorts
import HTTPDoor
import HTTPTypes
import Hummingbird

/// What operators do to nodes, and what became of the cluster.
extension AdminResponder {
    func changeNode(_ route: AdminRoute, _ body: [UInt8], by asker: String) async throws -> Response {
        switch route {
        case .drain(let name):
            let order = try NodeOrder(body)
            return try await self.apply(to: name, order.incarnation) { (target) async throws(StoreError) in
                try await self.members.drain(
                    target, by: .operator, reason: Self.reason(order.reason, by: asker))
            }
        case .resume(let name):
            let order = try NodeOrder(body)
            return try await self.apply(to: name, order.incarnation) { (target) async throws(StoreError) in
                try await self.members.resume(
                    target, by: .operator, reason: Self.reason(order.reason, by: asker))
            }
        case .changeNode(let name): return try await self.change(name, try NodePatch(body))
        case .evict(let name): return try await self.evict(name, try NodeOrder(body), by: asker)
        case .document, .cluster, .nodes, .node, .views, .leases, .lease, .endLease, .watch, .transfers,
            .transfer, .accounts,
            .createAccount,
            .account, .changeAccount, .recount, .keys, .createKey, .revokeKey, .cache, .webhook, .jobs,
            .schedule, .shards, .uploads, .sessions:
            preconditionFailure("\(route) changes no node")
        }
    }

    /// Answers the member as it is afterwards; the view that this node knows may be older.
    private func apply(
        to name: String, _ incarnation: Int64?,
        _ change: (Incarnation) async throws(StoreError) -> Member?
    ) async throws(Problem) -> Response {
        let target = try self.target(name, incarnation)
        let changed = try await self.onStore { () async throws(StoreError) in try await change(target) }
        guard let changed else { throw Self.notLive(name, target.rawValue) }
        return JSONText.response(.ok, NodeAnswer(changed))
    }

    private func change(_ name: String, _ patch: NodePatch) async throws(Problem) -> Response {
        let target = try self.target(name, patch.incarnation)
        let changed = try await self.onStore { () async throws(StoreError) in
            try await self.members.setAttributes(patch.attributes, of: target)
        }
        guard let changed else { throw Self.notLive(name, target.rawValue) }
        guard patch.attributes.allSatisfy({ $0.value == nil || changed.attributes[$0.key] == $0.value })
        else {
            throw BodyFields.invalid(
                "attributes",
                "with them operators would have set more than \(NodeAttributes.setMax) of the node")
        }
        return JSONText.response(.ok, NodeAnswer(changed))
    }

    private func evict(_ name: String, _ order: NodeOrder, by asker: String) async throws(Problem) -> Response
    {
        let target = try self.target(name, order.incarnation)
        let reason = Self.reason(order.reason, by: asker)
        let evicted = try await self.onStore { () async throws(StoreError) in
            try await self.members.evict(target, reason: reason)
        }
        guard evicted else { throw Self.notLive(name, target.rawValue) }
        return Response(status: .noContent)
    }

    /// Whom an order is for: the incarnation that it names, or the one that lives under the name.
    private func target(_ name: String, _ incarnation: Int64?) throws(Problem) -> Incarnation {
        let member = try self.member(name)
        guard let incarnation else {
            guard member.status != .dead else { throw Self.notLive(name, member.incarnation.rawValue) }
            return member.incarnation
        }
        guard let asked = Incarnation(rawValue: incarnation) else {
            throw BodyFields.invalid("incarnation", "it must be positive")
        }
        guard asked == member.incarnation, member.status != .dead else {
            throw Self.notLive(name, incarnation)
        }
        return asked
    }

    private static func notLive(_ name: String, _ incarnation: Int64) -> Problem {
        Problem(
            .conflict, .changed, "incarnation \(incarnation) of the node “\(name)” is not live any more"
        ).with("name", name)
    }

    private static func reason(_ reason: String, by asker: String) -> String {
        reason.isEmpty ? "by \(asker)" : "\(reason) (by \(asker))"
    }

    func listViews(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (query, limit) = try ViewFilters.query(items)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.members.viewHistory(query)
        }
        let page = PageAnswer(
            found, limit: limit, cursor: { ViewFilters.cursor(after: $0, query) }, answer: ViewAnswer.init)
        return JSONText.response(.ok, page)
    }
}
