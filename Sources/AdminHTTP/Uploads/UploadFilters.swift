package import ClusterModel
package import ClusterPorts
import Foundation
package import HTTPDoor

/// Turns the query of `GET /uploads` into what the store is asked.
package enum UploadFilters {
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999
    private static let list = "uploads"

    package static func query(
        _ items: [RequestTarget.QueryItem]
    ) throws(Problem) -> (UploadQuery, limit: Int) {
        var reader = try QueryReader(items)
        var query = UploadQuery()
        query.account = try reader.value("account", "an account's name") { AccountName($0) }
        query.node = try reader.value("node", "a node's name") { NodeName($0) }
        query.status = try reader.choice("state", UploadStatus.self)
        let limit = try reader.page(of: Self.list, &query, longest: Self.longest) { (content: UUID) in
            UploadID(content)
        }
        return (query, limit)
    }

    package static func cursor(after upload: Upload, _ query: UploadQuery) -> String {
        PageCursor.text(upload.id.rawValue, of: query.list(Self.list))
    }
}
