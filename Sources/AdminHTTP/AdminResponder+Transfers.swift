import ClusterPorts
import Foundation
import HTTPDoor
import HTTPTypes
import Hummingbird

/// The transfer log.
extension AdminResponder {
    func listTransfers(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (asked, list) = try TransferFilters.query(items)
        var query = asked
        // One more tells whether there is a next page; the store's own bound stays.
        query.limit = min(asked.limit + 1, TransferFilters.longest)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.transfers.transfers(query)
        }
        let page = found.prefix(asked.limit)
        let more =
            found.count > asked.limit
            || (asked.limit == TransferFilters.longest && found.count == asked.limit)
        let next = more ? page.last.map { TransferFilters.position(after: $0, sort: asked.sort) } : nil
        return JSONText.response(
            .ok, PageAnswer(page.map(TransferAnswer.init), next: next.map { PageCursor.text($0, of: list) }))
    }

    func showTransfer(_ text: String) async throws(Problem) -> Response {
        guard let id = UUID(uuidString: text) else { throw AdminProblems.unknown("transfer", text) }
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.transfers.transfer(id: id)
        }
        guard let found else { throw AdminProblems.unknown("transfer", text) }
        return JSONText.response(.ok, TransferAnswer(found))
    }
}
