package import Foundation

/// The name of a webhook: 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
package struct WebhookName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    /// Answers nil when the text is no name.
    package init?(_ text: String) {
        let extra: Set<UInt8> = [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")]
        guard NameRules.isName(text, extra: extra) else { return nil }
        self.description = text
    }

    package static func < (left: WebhookName, right: WebhookName) -> Bool {
        left.description < right.description
    }
}

/// Where events are sent: `http` or `https`, without credentials and fragment, of at most 2,048 bytes of ASCII.
package struct WebhookAddress: Hashable, Sendable, CustomStringConvertible {
    package let description: String
    package static let longest = 2_048

    /// Why a text is no address.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    package init(_ text: String) throws(Fault) {
        guard (1...Self.longest).contains(text.utf8.count) else {
            throw Fault(description: "it must have 1 to \(Self.longest) bytes")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let parts = URLComponents(string: text)
        else {
            throw Fault(description: "it is no address; other characters than ASCII must be percent-encoded")
        }
        guard let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme) else {
            throw Fault(description: "it must begin with http:// or https://")
        }
        guard let host = parts.host, !host.isEmpty else { throw Fault(description: "it names no host") }
        guard parts.user == nil, parts.password == nil else {
            throw Fault(
                description: "it must not have credentials: whoever may see the webhook would see them")
        }
        guard parts.fragment == nil else { throw Fault(description: "it must not have a fragment") }
        guard parts.port.map({ (1...65_535).contains($0) }) ?? true else {
            throw Fault(description: "the port must be 1 to 65535")
        }
        self.description = text
    }

    /// Scheme, host and port: what all addresses of one receiver share.
    package var receiver: String {
        let parts = URLComponents(string: self.description)
        let scheme = parts?.scheme?.lowercased() ?? "http"
        let port = parts?.port ?? (scheme == "https" ? 443 : 80)
        return "\(scheme)://\(parts?.host?.lowercased() ?? ""):\(port)"
    }
}

/// What signs the messages to a webhook: 16 to 200 printable characters of ASCII.
///
/// It never shows itself.
package struct WebhookSecret: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    package static let lengths = 16...200

    /// Answers nil when the text is too short, too long, or has other characters.
    package init?(_ text: String) {
        guard Self.lengths.contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            return nil
        }
        self.text = text
    }

    package var description: String { "(secret)" }
}

/// Whom to tell of which events.
package struct Webhook: Hashable, Sendable {
    package var id: UUID
    package var name: WebhookName
    package var enabled: Bool
    /// Why it was disabled, when no operator did it.
    package var disabledBecause: String?
    /// Nil for everybody's events.
    package var account: AccountName?
    /// At least one.
    package var events: Set<EventKind>
    /// Only what happens to this folder or below it; a move counts when it begins or ends there.
    package var below: HomePath
    package var address: WebhookAddress
    /// 1 to 1,000.
    package var maxAttempts: Int
    /// Whether the messages about one path are sent one after the other, in the order of the changes.
    package var ordered: Bool
    /// Rises with each change; its ETag.
    package var revision: Int64
    package var createdAt: Date
    package var changedAt: Date

    package init(
        id: UUID, name: WebhookName, enabled: Bool, disabledBecause: String? = nil, account: AccountName?,
        events: Set<EventKind>, below: HomePath, address: WebhookAddress, maxAttempts: Int, ordered: Bool,
        revision: Int64, createdAt: Date, changedAt: Date
    ) {
        self.id = id
        self.name = name
        self.enabled = enabled
        self.disabledBecause = disabledBecause
        self.account = account
        self.events = events
        self.below = below
        self.address = address
        self.maxAttempts = maxAttempts
        self.ordered = ordered
        self.revision = revision
        self.createdAt = createdAt
        self.changedAt = changedAt
    }

    package static let attempts = 1...1_000
}
