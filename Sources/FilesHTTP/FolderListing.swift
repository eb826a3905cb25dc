package import ClusterModel
package import ClusterPorts
import FileService
import Foundation
import HTTPDoor

/// A folder's entries as JSON shows them.
package struct FolderListing: Sendable, Equatable, Codable {
    package struct Entry: Sendable, Equatable, Codable {
        /// Bytes that are not UTF-8 show as U+FFFD.
        package var name: String
        /// The name's bytes, only where they are not UTF-8.
        package var nameBase64: String?
        package var type: FileStatus.Kind
        package var size: Int64
        package var modified: String
        package var etag: String?
    }
    package var path: String
    package var entries: [Entry]
    /// The cursor of the next page; nil when this may be the last one.
    package var next: String?

    package init(path: HomePath, entries: [FolderEntry], limit: Int) {
        self.path = path.description
        self.entries = entries.map(Entry.init)
        self.next = entries.count < limit ? nil : entries.last.map { ListingCursor.text(after: $0.name) }
    }
}

extension FolderListing.Entry {
    init(_ entry: FolderEntry) {
        self.name = String(decoding: entry.name, as: UTF8.self)
        self.nameBase64 =
            String(validating: entry.name, as: UTF8.self) == nil
            ? Data(entry.name).base64EncodedString() : nil
        self.type = entry.status.kind
        self.size = entry.status.size
        self.modified = Timestamp.text(nanoseconds: entry.status.modified)
        self.etag = entry.status.kind == .file ? entry.status.entityTag : nil
    }
}

/// The place in a listing after a name; opaque to clients.
enum ListingCursor {
    static func text(after name: [UInt8]) -> String { Base64URL.text(name) }

    static func name(_ text: String) -> [UInt8]? {
        guard let bytes = Base64URL.bytes(text), (1...HomePath.longestComponent).contains(bytes.count) else {
            return nil
        }
        return bytes
    }
}
