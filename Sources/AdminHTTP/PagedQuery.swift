import ClusterPorts
import HTTPDoor

/// A question whose answer comes page by page, in an order in which a place stays where it is.
protocol PagedQuery {
    associatedtype Place
    /// The place of the last item of the page before.
    var after: Place? { get set }
    var limit: Int { get set }
}

extension UploadQuery: PagedQuery {}
extension ScheduleQuery: PagedQuery {}
extension WebhookQuery: PagedQuery {}
extension EventQuery: PagedQuery {}
extension LeaseQuery: PagedQuery {}

extension PagedQuery {
    /// What its cursors are bound to: all but the place and the length of the page.
    func list(_ name: String) -> String {
        var query = self
        query.after = nil
        query.limit = 0
        return "\(name) \(query)"
    }
}

extension QueryReader {
    /// Reads `cursor` and `limit`, the last of a query, and answers the page's length.
    ///
    /// The store is asked for one more, which tells whether there is a next page.
    ///
    /// - Parameters:
    ///   - name: of the list.
    ///   - longest: the longest page.
    ///   - place: what a cursor's content stands for; nil if for nothing.
    mutating func page<Query: PagedQuery, Content: Codable>(
        of name: String, _ query: inout Query, longest: Int, at place: (Content) -> Query.Place?
    ) throws(Problem) -> Int {
        let list = query.list(name)
        query.after = try self.value("cursor", PageCursor.expected) {
            PageCursor.position(Content.self, $0, of: list).flatMap(place)
        }
        let limit = try self.number("limit", in: 1...Int64(longest)).map { Int($0) } ?? 100
        query.limit = limit + 1
        try self.finish()
        return limit
    }
}
