package import ClusterModel
package import ClusterPorts
package import Foundation
package import HTTPDoor
import HTTPTypes

/// `POST /accounts`.
package struct AccountCreation: Sendable, Equatable {
    package var name: String
    package var password: String?
    package var adopts: Bool
    package var quota: Quota?

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        self.name = try fields.required("name")
        self.password = try fields.text("password")
        self.adopts = try fields.flag("adopt") ?? false
        self.quota = Quota(
            limits: try fields.limit("quota_bytes").most, try fields.limit("quota_files").most)
        try fields.finish()
    }
}

/// `PATCH /accounts/{name}`.
package struct AccountPatch: Sendable, Equatable {
    package var enabled: Bool?
    package var password: String?
    package var quotaBytes: LimitChange
    package var quotaFiles: LimitChange
    /// From `If-Match`.
    package var revision: Int64?

    package init(_ body: [UInt8], ifMatch: String?) throws(Problem) {
        var fields = try BodyFields(body)
        self.enabled = try fields.flag("enabled")
        self.password = try fields.text("password")
        self.quotaBytes = try fields.limit("quota_bytes")
        self.quotaFiles = try fields.limit("quota_files")
        try fields.finish()
        guard
            self.enabled != nil || self.password != nil || self.quotaBytes != .keep
                || self.quotaFiles != .keep
        else {
            throw Problem(
                .badRequest, .invalidBody,
                "nothing is to be changed: give “enabled”, “password”, “quota_bytes” or “quota_files”")
        }
        self.revision = try AccountTag.revision(ifMatch)
    }
}

extension BodyFields {
    /// A limit: a whole number, or null for none.
    fileprivate mutating func limit(_ name: String) throws(Problem) -> LimitChange {
        switch try self.value(name) {
        case nil: return .keep
        case .null: return .unlimited
        case .number(let number):
            guard let most = number.whole, (0...9_007_199_254_740_992).contains(most) else {
                throw Self.invalid(name, "it must be a whole number from 0 to 2^53, or null for no limit")
            }
            return .at(most)
        case .text, .flag, .list, .object:
            throw Self.invalid(name, "it must be a whole number, or null for no limit")
        }
    }
}

extension LimitChange {
    fileprivate var most: Int64? {
        switch self {
        case .at(let most): most
        case .keep, .unlimited: nil
        }
    }
}

/// `POST /accounts/{name}/keys`.
package struct KeyCreation: Sendable, Equatable {
    package var label: String
    package var expiresAt: Date?

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        self.label = try fields.required("label")
        self.expiresAt = try fields.time("expires_at")
        try fields.finish()
    }
}

/// An account's entity tag: its revision.
package enum AccountTag {
    package static func text(_ revision: Int64) -> String { "\"\(revision)\"" }

    /// Nil for no condition: none is given, or `*`.
    package static func revision(_ ifMatch: String?) throws(Problem) -> Int64? {
        guard let ifMatch, ifMatch != "*" else { return nil }
        guard ifMatch.hasPrefix("\""), ifMatch.hasSuffix("\""), ifMatch.utf8.count > 2,
            let revision = Int64(ifMatch.dropFirst().dropLast())
        else {
            throw Problem(
                .badRequest, .invalidHeader,
                "the header If-Match has the value “\(ifMatch)”: expected one ETag"
            ).with("header", "if-match")
        }
        return revision
    }
}

/// The query of `GET /accounts`.
package struct AccountFilters: Sendable, Equatable {
    private enum Sort: String, CaseIterable { case name }
    package static let longest = 1_000

    package var enabled: Bool?
    package var limit = 100
    package var after: AccountName?

    package init(_ items: [RequestTarget.QueryItem]) throws(Problem) {
        var reader = try QueryReader(items)
        if reader.has("enabled") { self.enabled = try reader.flag("enabled") }
        _ = try reader.choice("sort", Sort.self)
        if let limit = try reader.number("limit", in: 1...Int64(Self.longest)) { self.limit = Int(limit) }
        let list = self.list
        self.after = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(AccountName.self, $0, of: list)
        }
        try reader.finish()
    }

    private var list: String { "accounts \(self.enabled.map { "\($0)" } ?? "")" }

    package func next(after name: AccountName) -> String { PageCursor.text(name, of: self.list) }
}
