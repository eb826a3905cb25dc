package import ClusterModel
package import ClusterPorts
package import HTTPDoor
import HTTPTypes

/// `POST /webhooks`.
package struct WebhookOrder: Sendable, Equatable {
    package var name: WebhookName
    package var account: AccountName?
    /// What the fields say; `events` and `address` are there.
    package var fields: WebhookFields

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        let text = try fields.required("name")
        guard let name = WebhookName(text) else {
            throw BodyFields.invalid(
                "name", "“\(text)” is not 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit")
        }
        self.name = name
        if let account = try fields.text("account") {
            self.account = AccountName(account)
            guard self.account != nil else {
                throw BodyFields.invalid("account", "“\(account)” is no account's name")
            }
        }
        self.fields = try WebhookFields(&fields)
        try fields.finish()
        guard self.fields.change.events != nil else { throw BodyFields.invalid("events", "it is missing") }
        guard self.fields.change.address != nil else { throw BodyFields.invalid("url", "it is missing") }
        guard !self.fields.wantsNewSecret else {
            throw BodyFields.invalid("new_secret", "a new webhook gets a secret anyway; it is for changes")
        }
    }

    /// - Parameter secret: that it gets unless the body has one.
    package func webhook(secret: WebhookSecret) -> NewWebhook? {
        let change = self.fields.change
        guard let events = change.events, let address = change.address else { return nil }
        var new = NewWebhook(
            name: self.name, events: events, address: address, secret: change.secret ?? secret)
        new.enabled = change.enabled ?? new.enabled
        new.account = self.account
        new.below = change.below ?? new.below
        new.maxAttempts = change.maxAttempts ?? new.maxAttempts
        new.ordered = change.ordered ?? new.ordered
        return new
    }
}

/// `PATCH /webhooks/{name}`.
package struct WebhookPatch: Sendable, Equatable {
    package var fields: WebhookFields
    /// From `If-Match`.
    package var revision: Int64?

    package init(_ body: [UInt8], ifMatch: String?) throws(Problem) {
        var fields = try BodyFields(body)
        self.fields = try WebhookFields(&fields)
        try fields.finish()
        guard self.fields.change != WebhookChange() || self.fields.wantsNewSecret else {
            throw Problem(.badRequest, .invalidBody, "nothing is to be changed")
        }
        guard self.fields.change.secret == nil || !self.fields.wantsNewSecret else {
            throw BodyFields.invalid("new_secret", "the body has a “secret” as well")
        }
        self.revision = try AccountTag.revision(ifMatch)
    }
}

/// The fields that both have.
package struct WebhookFields: Sendable, Equatable {
    package var change = WebhookChange()
    package var wantsNewSecret: Bool

    package init(_ fields: inout BodyFields) throws(Problem) {
        self.change.enabled = try fields.flag("enabled")
        self.change.ordered = try fields.flag("ordered")
        self.wantsNewSecret = try fields.flag("new_secret") ?? false
        self.change.events = try Self.events(&fields)
        if let text = try fields.text("url") { self.change.address = try Self.address(text) }
        if let text = try fields.text("below") {
            do throws(HomePath.Fault) {
                self.change.below = try HomePath(bytes: text.utf8)
            } catch { throw BodyFields.invalid("below", "\(error)") }
        }
        if let text = try fields.text("secret") {
            guard let secret = WebhookSecret(text) else {
                let lengths = WebhookSecret.lengths
                throw BodyFields.invalid(
                    "secret",
                    "it must have \(lengths.lowerBound) to \(lengths.upperBound) printable characters of ASCII, no blanks"
                )
            }
            self.change.secret = secret
        }
        if let number = try fields.integer("max_attempts") {
            guard Webhook.attempts.contains(Int(number)) else {
                throw BodyFields.invalid("max_attempts", "it must be 1 to \(Webhook.attempts.upperBound)")
            }
            self.change.maxAttempts = Int(number)
        }
    }

    private static func events(_ fields: inout BodyFields) throws(Problem) -> Set<EventKind>? {
        guard let texts = try fields.list("events") else { return nil }
        var events: Set<EventKind> = []
        for text in texts {
            guard let kind = EventKind(rawValue: text) else {
                let all = EventKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw BodyFields.invalid("events", "“\(text)” is none of \(all)")
            }
            events.insert(kind)
        }
        guard !events.isEmpty else { throw BodyFields.invalid("events", "it must name at least one") }
        return events
    }

    private static func address(_ text: String) throws(Problem) -> WebhookAddress {
        do throws(WebhookAddress.Fault) {
            return try WebhookAddress(text)
        } catch { throw BodyFields.invalid("url", error.description) }
    }
}

/// The query of `GET /webhooks`.
package enum WebhookFilters {
    private enum Sort: String, CaseIterable { case name }
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999
    private static let list = "webhooks"

    package static func query(
        _ items: [RequestTarget.QueryItem]
    ) throws(Problem) -> (WebhookQuery, limit: Int) {
        var reader = try QueryReader(items)
        var query = WebhookQuery()
        query.account = try reader.value("account", "an account's name") { AccountName($0) }
        if reader.has("enabled") { query.enabled = try reader.flag("enabled") }
        _ = try reader.choice("sort", Sort.self)
        let limit = try reader.page(of: Self.list, &query, longest: Self.longest) { (content: String) in
            WebhookName(content)
        }
        return (query, limit)
    }

    package static func cursor(after webhook: Webhook, _ query: WebhookQuery) -> String {
        PageCursor.text(webhook.name.description, of: query.list(Self.list))
    }
}
