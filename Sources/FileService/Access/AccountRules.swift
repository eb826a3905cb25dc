package import ClusterModel
package import Foundation

/// What names, passwords, labels and times of accounts may be; each refusal says the rule.
package enum AccountRules {
    package static let passwordBytes = 8...1_024
    package static let labelCharacters = 1...100

    package static func name(_ text: String) throws(AccountDeskError) -> AccountName {
        guard let name = AccountName(text) else {
            throw .invalid(
                field: "name",
                reason: "must be 1 to 63 of a-z, 0-9, “.”, “_” and “-”, beginning with a letter or a digit")
        }
        return name
    }

    package static func password(_ text: String) throws(AccountDeskError) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard Self.passwordBytes.contains(bytes.count) else {
            throw .invalid(field: "password", reason: "must be 8 to 1024 bytes long, and has \(bytes.count)")
        }
        return bytes
    }

    package static func label(_ text: String) throws(AccountDeskError) -> String {
        let hasControl = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
        guard Self.labelCharacters.contains(text.count), text.utf8.count <= 1_000, !hasControl else {
            throw .invalid(field: "label", reason: "must be 1 to 100 characters without control characters")
        }
        return text
    }

    package static func expiry(_ date: Date?, now: Date) throws(AccountDeskError) {
        guard let date, date <= now else { return }
        throw .invalid(field: "expires_at", reason: "must be in the future")
    }
}
