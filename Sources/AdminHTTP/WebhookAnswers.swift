package import ClusterModel
package import ClusterPorts
package import Foundation

/// A webhook; with its secret only when it was made by this very request.
package struct WebhookAnswer: Sendable, Equatable, Codable {
    package var name: String
    package var id: String
    package var enabled: Bool
    /// Why it was disabled, when no operator did it.
    package var disabledBecause: String?
    /// Nil for everybody's events.
    package var account: String?
    package var events: [EventKind]
    package var below: String
    package var url: String
    package var maxAttempts: Int
    package var ordered: Bool
    package var createdAt: Date
    package var changedAt: Date
    package var revision: Int64
    package var secret: String?

    package init(_ webhook: Webhook, secret: WebhookSecret? = nil) {
        self.name = webhook.name.description
        self.id = webhook.id.uuidString.lowercased()
        self.enabled = webhook.enabled
        self.disabledBecause = webhook.disabledBecause
        self.account = webhook.account?.description
        self.events = webhook.events.sorted { $0.rawValue < $1.rawValue }
        self.below = webhook.below.description
        self.url = webhook.address.description
        self.maxAttempts = webhook.maxAttempts
        self.ordered = webhook.ordered
        self.createdAt = webhook.createdAt
        self.changedAt = webhook.changedAt
        self.revision = webhook.revision
        self.secret = secret?.text
    }
}

/// `POST /webhooks/{name}/test`.
package struct WebhookTestAnswer: Sendable, Equatable, Codable {
    /// The job that sends the message.
    package var job: Int64

    package init(job: JobID) { self.job = job.rawValue }
}

/// One event; with its deliveries when it is shown alone.
package struct EventAnswer: Sendable, Equatable, Codable {
    package struct Delivery: Sendable, Equatable, Codable {
        package var job: Int64
        /// Nil when the webhook, or the job itself, is gone.
        package var webhook: String?
        /// Where the job stands; nil when it is forgotten.
        package var state: String?
        /// `done`, `failed` or `cancelled`; nil while it has not ended.
        package var outcome: String?
        package var attempts: Int?
        /// Of `later`: when it is tried again.
        package var dueAt: Date?
        package var note: String?
        package var endedAt: Date?
    }
    package var id: Int64
    package var at: Date
    package var kind: EventKind
    package var account: String
    package var path: String
    /// Only where the path is not UTF-8.
    package var pathBase64: String?
    package var target: String?
    package var targetBase64: String?
    package var size: Int64
    package var sha256: String?
    /// The transfer's id.
    package var operation: String
    package var node: String
    package var jobs: [Int64]
    package var deliveries: [Delivery]?

    package init(_ record: EventRecord, deliveries: [EventDelivery]? = nil) {
        self.id = record.id.rawValue
        self.at = record.at
        self.kind = record.kind
        self.account = record.account.description
        self.path = record.path.description
        self.pathBase64 = Self.base64(record.path)
        self.target = record.target?.description
        self.targetBase64 = record.target.flatMap(Self.base64)
        self.size = record.size
        self.sha256 = record.digest?.description
        self.operation = record.operation.uuidString.lowercased()
        self.node = record.node
        self.jobs = record.jobs.map(\.rawValue)
        self.deliveries = deliveries?.map { delivery in
            Delivery(
                job: delivery.job.rawValue, webhook: delivery.webhook?.description,
                state: delivery.state?.rawValue, outcome: delivery.outcome?.rawValue,
                attempts: delivery.attempts, dueAt: delivery.dueAt, note: delivery.note,
                endedAt: delivery.endedAt)
        }
    }

    private static func base64(_ path: HomePath) -> String? {
        String(validating: path.bytes, as: UTF8.self) == nil ? Data(path.bytes).base64EncodedString() : nil
    }
}
