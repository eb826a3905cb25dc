import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

extension TestDatabase {
    @discardableResult
    func webhook(
        _ name: String, _ events: Set<EventKind> = Set(EventKind.allCases), account: String? = nil,
        below: String = "", ordered: Bool = false
    ) async throws -> Webhook {
        var new = NewWebhook(
            name: try #require(WebhookName(name)), events: events,
            address: try WebhookAddress("http://127.0.0.1:9/hook"),
            secret: try #require(WebhookSecret("0123456789abcdef")))
        new.account = try account.map { try #require(AccountName($0)) }
        new.below = try path(below)
        new.ordered = ordered
        guard case .created(let webhook) = try await self.store.create(new) else {
            throw NeverHappened(description: "the webhook \(name) was not created")
        }
        return webhook
    }

    /// Decides and carries out a change of one name, but does not finish it.
    func carried(
        _ change: NameChange, _ account: Account, by node: JoinedNode,
        status: TransferRecord.Status = .completed
    ) async throws -> FinishedOperation {
        let operation = node.operation(account)
        var names: [HomePath]
        var target: HomePath?
        let kind: TransferRecord.Kind
        switch change {
        case .publish(let path, let staged, _, _):
            names = [path]
            kind = staged.identity.isFolder ? .folder : .upload
        case .move(let from, let to, _):
            names = [from, to]
            target = to
            kind = .move
        case .remove(let path, _):
            names = [path]
            kind = .delete
        }
        #expect(try await self.store.reserve(names, for: operation, by: node.right) == .decided)
        #expect(try await self.store.decide(change, of: operation, by: node.right) == .decided)
        let record = TransferRecord(
            id: operation.id, kind: kind, status: status, account: account.name, path: names[0],
            target: target,
            size: 12, digest: nil, origin: operation.origin, incarnation: node.right.incarnation,
            endedAt: Date(timeIntervalSince1970: 1_700_000_001))
        return FinishedOperation(operation: operation, names: names, record: record)
    }

    /// Publishes a file as a node does, up to the end.
    @discardableResult
    func publish(_ text: String, _ account: Account, by node: JoinedNode) async throws -> FinishedOperation {
        let finished = try await self.carried(
            .publish(path: path(text), staged: node.staged("x"), digest: nil, replaces: true), account,
            by: node)
        #expect(try await self.store.finish([finished]) == [finished.operation.id])
        return finished
    }

    func payloads() async throws -> [[String: Any]] {
        try await self.sql("select payload::text from flotilla.job order by id").map { row in
            let text = try row[0, as: String.self]
            return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }
    }
}
