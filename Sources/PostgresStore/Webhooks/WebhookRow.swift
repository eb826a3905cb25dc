import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// How a webhook is read from its row.
enum WebhookRow {
    /// For a row called `w`; thirteen columns.
    static let columns: PostgresStatement = """
        w.id, w.name, w.enabled, w.disabled_because,
        (select a.name from flotilla.account a where a.id = w.account_id), w.events, w.below, w.url, w.max_attempts,
        w.ordered, w.revision, w.created_at, w.changed_at
        """

    static func webhook(_ row: PostgresRow, from start: Int = 0) throws(StoreError) -> Webhook {
        Webhook(
            id: try row.reading(column: start, as: UUID.self),
            name: try WebhookName(stored: row.reading(column: start + 1, as: String.self)),
            enabled: try row.reading(column: start + 2, as: Bool.self),
            disabledBecause: try row.reading(column: start + 3, as: String?.self),
            account: try row.reading(column: start + 4, as: String?.self).map {
                (text) throws(StoreError) in try AccountName(stored: text)
            },
            events: try Self.events(row.reading(column: start + 5, as: [String].self)),
            below: try HomePath(stored: row.reading(column: start + 6, as: [UInt8].self)),
            address: try WebhookAddress(stored: row.reading(column: start + 7, as: String.self)),
            maxAttempts: Int(try row.reading(column: start + 8, as: Int16.self)),
            ordered: try row.reading(column: start + 9, as: Bool.self),
            revision: try row.reading(column: start + 10, as: Int64.self),
            createdAt: try row.reading(column: start + 11, as: Date.self),
            changedAt: try row.reading(column: start + 12, as: Date.self))
    }

    /// As stored: sorted, so that equal sets are equal rows.
    static func stored(_ events: Set<EventKind>) -> [String] { events.map(\.rawValue).sorted() }

    private static func events(_ texts: [String]) throws(StoreError) -> Set<EventKind> {
        var events: Set<EventKind> = []
        for text in texts { events.insert(try EventKind(stored: text)) }
        return events
    }
}

extension EventKind {
    init(stored text: String) throws(StoreError) {
        guard let kind = EventKind(rawValue: text) else { throw .corrupt("“\(text)” is no kind of event") }
        self = kind
    }
}

extension WebhookName {
    init(stored text: String) throws(StoreError) {
        guard let name = WebhookName(text) else { throw .corrupt("“\(text)” is no name of a webhook") }
        self = name
    }
}

extension WebhookSecret {
    init(stored text: String) throws(StoreError) {
        guard let secret = WebhookSecret(text) else {
            throw .corrupt("a webhook's secret has forbidden characters")
        }
        self = secret
    }
}

extension WebhookAddress {
    init(stored text: String) throws(StoreError) {
        do throws(Fault) {
            self = try WebhookAddress(text)
        } catch {
            throw .corrupt("“\(text)” is no address of a webhook: \(error)")
        }
    }
}
