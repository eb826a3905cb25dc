import ClusterModel
import Foundation
import HTTPDoor
package import HTTPTypes

/// Versions of the IETF draft about resumable uploads that clients in the field speak.
package enum DraftVersion: String, Sendable, CaseIterable {
    /// Of draft 05.
    case six = "6"
    /// Of draft 09 and later.
    case eight = "8"

    /// What the remaining time of an upload is called among its limits.
    var lifetime: String {
        switch self {
        case .six: "expires"
        case .eight: "max-age"
        }
    }
}

/// The header fields of the draft.
package enum DraftHeaders {
    package static let version = DoorHeader.name("Upload-Draft-Interop-Version")
    package static let complete = DoorHeader.name("Upload-Complete")
    package static let limit = DoorHeader.name("Upload-Limit")
    package static let acceptPatch = DoorHeader.name("Accept-Patch")
    /// Of every body that goes on with an upload.
    package static let contentType = "application/partial-upload"
    /// How long an upload lives that gets nothing, as OPTIONS says it.
    static let lifetime = "max-age=86400"

    static func spoken(_ headers: HTTPFields) -> DraftVersion? {
        headers[Self.version].flatMap { DraftVersion(rawValue: $0) }
    }

    /// A structured Boolean; anything else is as if it were not there (RFC 9651, 3.3.6).
    static func complete(_ headers: HTTPFields) -> Bool? {
        switch Self.item(headers[Self.complete]) {
        case "?1": true
        case "?0": false
        default: nil
        }
    }

    /// A structured Integer that is not negative; anything else is as if it were not there.
    static func number(_ name: HTTPField.Name, _ headers: HTTPFields) -> Int64? {
        // No Integer of a structured field has more digits.
        guard let text = Self.item(headers[name]), (1...15).contains(text.utf8.count),
            text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 })
        else { return nil }
        return Int64(text)
    }

    /// Without its parameters.
    private static func item(_ text: String?) -> Substring? {
        guard let first = text?.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false).first
        else { return nil }
        return first.drop { $0 == " " }.prefix { $0 != " " }
    }

    static func truth(_ value: Bool) -> String { value ? "?1" : "?0" }

    /// How long an upload is kept if nothing more comes, as its version says that.
    static func limit(_ upload: Upload, _ version: DraftVersion, now: Date = Date()) -> String {
        "\(version.lifetime)=\(max(0, Int64(upload.expiresAt.timeIntervalSince(now))))"
    }
}
