import ClusterModel
import Foundation
package import HTTPTypes

/// Whether a reader wants a file's SHA-256, and in which of the two fields it understands it.
///
/// A wish that cannot be read is no wish: nobody is refused a file for that.
package struct WantedDigests: Sendable, Equatable {
    /// In `Repr-Digest` (RFC 9530).
    package var repr = false
    /// In `Digest` (RFC 3230).
    package var instance = false

    package init() {}

    package init(_ headers: HTTPFields) {
        self.repr = headers[FileHeaders.wantReprDigest].map { Self.wants($0, separator: "=") } ?? false
        self.instance = headers[FileHeaders.wantDigest].map { Self.wants($0, separator: ";") } ?? false
    }

    package var isEmpty: Bool { !self.repr && !self.instance }

    /// `sha-256=10, sha-512=3` or `SHA-256;q=0.3, sha`; nought means no.
    private static func wants(_ value: String, separator: Character) -> Bool {
        value.split(separator: ",").contains { member in
            let words = member.filter { $0 != " " && $0 != "\t" }.split(
                separator: separator, maxSplits: 1, omittingEmptySubsequences: false)
            guard words.first?.lowercased() == DigestAlgorithm.sha256.rawValue else { return false }
            guard words.count == 2 else { return true }
            let weight = words[1].hasPrefix("q=") ? words[1].dropFirst(2) : words[1]
            return Double(weight).map { $0 > 0 } ?? false
        }
    }

    func headers(_ digest: Digest) -> HTTPFields {
        var headers: HTTPFields = [:]
        if self.repr { headers[FileHeaders.reprDigest] = FileHeaders.reprDigest(digest) }
        if self.instance {
            headers[FileHeaders.digest] = "SHA-256=\(Data(digest.bytes).base64EncodedString())"
        }
        return headers
    }
}
