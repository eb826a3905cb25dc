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

    package init(path: HomePath, entries: [FolderEntry], limit: Int, walk: ListingWalk) {
        self.path = path.description
        self.entries = entries.map(Entry.init)
        self.next =
            entries.count < limit ? nil : entries.last.map { ListingCursor(name: $0.name, walk: walk).text }
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
package struct ListingCursor: Sendable, Equatable {
    package var name: [UInt8]
    /// Nil in a cursor of a program from before.
    package var walk: ListingWalk?

    package init(name: [UInt8], walk: ListingWalk?) {
        self.name = name
        self.walk = walk
    }

    private static let walkBytes = 8

    /// The name, then a zero and the walk's number.
    ///
    /// A program from before takes all of that for a name, which stands where the name itself does: nothing that
    /// begins with it comes before a zero.
    package var text: String {
        guard let walk = self.walk else { return Base64URL.text(self.name) }
        let number = (0..<Self.walkBytes).map { UInt8(truncatingIfNeeded: walk.number >> (8 * $0)) }
        return Base64URL.text(self.name + [0] + number)
    }

    /// Nil for what no listing gave.
    package init?(_ text: String) {
        guard let bytes = Base64URL.bytes(text) else { return nil }
        let name = bytes.prefix { $0 != 0 }
        guard (1...HomePath.longestComponent).contains(name.count) else { return nil }
        self.name = Array(name)
        guard name.count < bytes.count else { return }
        let number = bytes[(name.count + 1)...]
        guard number.count == Self.walkBytes else { return nil }
        self.walk = ListingWalk(
            number: number.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
}
