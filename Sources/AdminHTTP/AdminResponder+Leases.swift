import ClusterModel
import ClusterPorts
import HTTPDoor
import HTTPTypes
import Hummingbird

/// Who holds which right, and taking one away.
extension AdminResponder {
    func listLeases(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (query, limit) = try LeaseFilters.query(items)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.leases.leases(query)
        }
        let page = PageAnswer(
            found, limit: limit, cursor: { LeaseFilters.cursor(after: $0, query) }, answer: LeaseAnswer.init)
        return JSONText.response(.ok, page)
    }

    /// A lease is named by its epoch, so an order can never hit a later one of the same subject.
    func oneLease(_ text: String, ends: Bool) async throws(Problem) -> Response {
        guard let epoch = Int64(text).flatMap({ Epoch(rawValue: $0) }) else {
            throw AdminProblems.unknown("lease with the epoch", text)
        }
        var query = LeaseQuery()
        query.epoch = epoch
        query.limit = 1
        let asked = query
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.leases.leases(asked)
        }
        guard let lease = found.first else { throw AdminProblems.unknown("lease with the epoch", text) }
        guard ends else { return JSONText.response(.ok, LeaseAnswer(lease)) }
        let ended = try await self.onStore { () async throws(StoreError) in
            try await self.leases.forceEnd(lease.title)
        }
        guard let ended else { throw AdminProblems.unknown("lease with the epoch", text) }
        return JSONText.response(.ok, LeaseAnswer(ended))
    }
}
