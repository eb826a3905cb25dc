package import ClusterModel
package import ClusterPorts
import Foundation
package import HTTPDoor

/// Turns the query of `GET /uploads` into what the store is asked.
package enum UploadFilters {
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999

    package static func query(
        _ items: [RequestTarget.QueryItem]
    ) throws(Problem) -> (UploadQuery, limit: Int) {
        var reader = try QueryReader(items)
        var query = UploadQuery()
        query.account = try reader.value("account", "an account's name") { AccountName($0) }
        query.node = try reader.value("node", "a node's name") { NodeName($0) }
        query.status = try reader.choice("state", UploadStatus.self)
        let list = Self.list(query)
        query.after = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(UUID.self, $0, of: list).map { UploadID($0) }
        }
        let limit = try reader.number("limit", in: 1...Int64(Self.longest)).map { Int($0) } ?? 100
        query.limit = limit + 1
        try reader.finish()
        return (query, limit)
    }

    package static func cursor(after upload: Upload, _ query: UploadQuery) -> String {
        PageCursor.text(upload.id.rawValue, of: Self.list(query))
    }

    /// All but the place and the length of the page.
    private static func list(_ query: UploadQuery) -> String {
        var query = query
        query.after = nil
        query.limit = 0
        return "uploads \(query)"
    }
}
