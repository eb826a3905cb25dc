import ClusterModel
import Crypto
import Foundation
import HTTPDoor
import NIOCore

/// A place in a list, opaque to clients, and bound to the sort and filters of the list that it came from.
package enum PageCursor {
    private struct Content<Position: Codable>: Codable {
        var list: String
        var position: Position
    }

    /// - Parameter list: What identifies list, sort and filters; the same text must be given to read the cursor.
    package static func text(_ position: some Codable, of list: String) -> String {
        Base64URL.text([UInt8](buffer: JSONText.buffer(Content(list: Self.mark(list), position: position))))
    }

    /// Nil when it is no cursor, or one of another list.
    package static func position<Position: Codable>(
        _ type: Position.Type, _ text: String, of list: String
    ) -> Position? {
        guard text.utf8.count <= 2_048, let bytes = Base64URL.bytes(text),
            let content = try? JSONText.value(Content<Position>.self, from: Data(bytes)),
            content.list == Self.mark(list)
        else { return nil }
        return content.position
    }

    private static func mark(_ list: String) -> String {
        Array(SHA256.hash(data: Data(list.utf8)).prefix(8)).hex
    }

    static let expected = "a cursor that came from this very list, with the same sort and filters"
}
