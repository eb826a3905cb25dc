package import struct Foundation.Date
package import struct Foundation.UUID

/// The name of an account, equal to its home's folder: 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
package struct AccountName: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let description: String

    /// Answers nil when the text is no name.
    package init?(_ text: String) {
        let extra: Set<UInt8> = [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")]
        guard NameRules.isName(text, extra: extra) else { return nil }
        self.description = text
    }

    package static func < (left: AccountName, right: AccountName) -> Bool {
        left.description < right.description
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let name = AccountName(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "“\(text)” is no account name.")
        }
        self = name
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}

package struct AccountID: Hashable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: UUID
    package init(_ rawValue: UUID) { self.rawValue = rawValue }
    package var description: String { self.rawValue.uuidString.lowercased() }

    package init(from decoder: any Decoder) throws {
        self.rawValue = try decoder.singleValueContainer().decode(UUID.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }
}

/// Somebody who transfers files.
package struct Account: Hashable, Sendable, Codable {
    package var id: AccountID
    package var name: AccountName
    package var enabled: Bool
    /// `scrypt$N$r$p$salt$hash` with salt and hash in base64; nil when only keys open the account.
    package var passwordHash: String?
    package var createdAt: Date
    package var changedAt: Date
    /// Rises with each change of this account; its ETag.
    package var revision: Int64
    /// Nil: it may have as much as the mount holds.
    package var quota: Quota?

    package init(
        id: AccountID, name: AccountName, enabled: Bool, passwordHash: String?, createdAt: Date,
        changedAt: Date,
        revision: Int64, quota: Quota? = nil
    ) {
        self.id = id
        self.name = name
        self.enabled = enabled
        self.passwordHash = passwordHash
        self.createdAt = createdAt
        self.changedAt = changedAt
        self.revision = revision
        self.quota = quota
    }
}

/// A secret that a program shows instead of a password; only its SHA-256 is stored.
package struct APIKey: Hashable, Sendable, Codable {
    package var id: UUID
    package var account: AccountID
    /// What people call it.
    package var label: String
    package var digest: Digest
    package var createdAt: Date
    package var expiresAt: Date?
    package var enabled: Bool

    package init(
        id: UUID, account: AccountID, label: String, digest: Digest, createdAt: Date, expiresAt: Date?,
        enabled: Bool
    ) {
        self.id = id
        self.account = account
        self.label = label
        self.digest = digest
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.enabled = enabled
    }
}
