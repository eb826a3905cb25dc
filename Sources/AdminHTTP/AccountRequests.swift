package import ClusterModel
package import Foundation
package import HTTPDoor
import HTTPTypes

/// `POST /accounts`.
package struct AccountCreation: Sendable, Equatable {
    package var name: String
    package var password: String?
    package var adopts: Bool

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        self.name = try fields.required("name")
        self.password = try fields.text("password")
        self.adopts = try fields.flag("adopt") ?? false
        try fields.finish()
    }
}

/// `PATCH /accounts/{name}`.
package struct AccountPatch: Sendable, Equatable {
    package var enabled: Bool?
    package var password: String?
    /// From `If-Match`.
    package var revision: Int64?

    package init(_ body: [UInt8], ifMatch: String?) throws(Problem) {
        var fields = try BodyFields(body)
        self.enabled = try fields.flag("enabled")
        self.password = try fields.text("password")
        try fields.finish()
        guard self.enabled != nil || self.password != nil else {
            throw Problem(.badRequest, .invalidBody, "nothing is to be changed: give “enabled” or “password”")
        }
        self.revision = try AccountTag.revision(ifMatch)
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
