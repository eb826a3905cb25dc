import Crypto
package import Foundation

/// What is sent for one job: the same bytes and the same key at each attempt, with a signature of its own.
package struct WebhookMessage: Hashable, Sendable {
    /// What a job's payload says, as the statement that enqueued it wrote it.
    package struct Payload: Hashable, Sendable, Codable {
        package var webhook: UUID
        package var event: Event

        /// Nil when the text is something else.
        package init?(_ text: String) {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            guard let payload = try? decoder.decode(Payload.self, from: Data(text.utf8)) else { return nil }
            self = payload
        }
    }

    /// An event as receivers see it; docs/operations/webhooks.md explains each member.
    package struct Event: Hashable, Sendable, Codable {
        package var id: Int64
        package var kind: String
        package var at: String
        package var account: String?
        package var accountId: String?
        package var path: String?
        package var pathBase64: String?
        package var target: String?
        package var targetBase64: String?
        package var size: Int64?
        package var sha256: String?
        package var operation: String?
        package var node: String?
        /// The webhook's name.
        package var webhook: String?

        /// Whether nothing happened: somebody tries the webhook.
        package var isTest: Bool { self.kind == "webhook.test" }
    }

    package let body: [UInt8]
    /// The receiver forgets what it did under this key at its own risk: it is the same at each attempt.
    package let idempotencyKey: String
    package let kind: String

    package init(_ payload: Payload, webhook name: String) {
        var event = payload.event
        event.webhook = name
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            self.body = Array(try encoder.encode(event))
        } catch {
            // Texts and whole numbers can always be encoded.
            preconditionFailure("cannot encode the event \(event.id): \(error)")
        }
        self.idempotencyKey = "\(event.id)-\(payload.webhook.uuidString.lowercased())"
        self.kind = event.kind
    }

    /// `v1=` and the HMAC-SHA-256 of timestamp, a dot, and the body, in lowercase hexadecimal.
    ///
    /// The timestamp is signed so that an old message cannot be sent again as a new one.
    package static func signature(secret: String, timestamp: String, body: [UInt8]) -> String {
        var code = HMAC<SHA256>(key: SymmetricKey(data: Data(secret.utf8)))
        code.update(data: Data("\(timestamp).".utf8))
        code.update(data: Data(body))
        return "v1=" + code.finalize().map { byte in Self.digits(byte) }.joined()
    }

    private static func digits(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.utf8.count == 2 ? text : "0" + text
    }
}
