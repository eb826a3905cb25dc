package import ClusterModel
package import ClusterPorts
package import Foundation
package import Logging

/// Tells a webhook of an event.
///
/// Done again it sends the same message with the same `Idempotency-Key`: who receives it twice can see so.
package struct WebhookHandler: JobHandler {
    package let kind = WorkKind.webhook
    private let webhooks: any WebhookStore
    private let sender: WebhookSender
    private let version: String
    private let logger: Logger
    private let now: @Sendable () -> Date

    /// - Parameters:
    ///   - version: of the program, for `User-Agent`.
    ///   - now: the time of day, for the signature's timestamp only.
    package init(
        webhooks: any WebhookStore, sender: WebhookSender, version: String, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.webhooks = webhooks
        self.sender = sender
        self.version = version
        self.logger = logger
        self.now = now
    }

    package func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd {
        guard let payload = WebhookMessage.Payload(job.payload) else {
            return .failed(reason: "the payload is no event for a webhook")
        }
        // Nothing is sent yet: another node can do it now.
        guard !desk.isDraining else { return .givenBack(reason: "the node drains") }
        let target: WebhookTarget?
        do {
            target = try await self.webhooks.target(payload.webhook)
        } catch {
            return .retry(
                after: RetryPlan.pause(after: job.attempt, chance: .random(in: 0...1)),
                reason: error.description)
        }
        guard let target else { return .done(note: "not sent: the webhook was removed") }
        // A test is for trying a webhook before it is enabled, too.
        guard target.webhook.enabled || payload.event.isTest else {
            return .done(note: "not sent: the webhook is disabled")
        }
        guard desk.isHeld(job.title) else {
            return .givenBack(reason: "the claim was lost before anything was sent")
        }
        let address = target.webhook.address
        let sent = await self.sender.post(
            self.request(payload, to: target, for: job), to: address.receiver)
        guard let answer = sent.answer else {
            return .postponed(
                for: sent.later, reason: "\(address.receiver) has all that one receiver may have")
        }
        if Task.isCancelled, case .unanswered = answer {
            return .givenBack(reason: "broken off; whether the receiver got it is unknown")
        }
        return await self.end(
            .judge(answer, attempt: job.attempt, chance: .random(in: 0...1)), target.webhook, job, desk)
    }

    private func end(
        _ verdict: DeliveryVerdict, _ webhook: Webhook, _ job: ClaimedJob, _ desk: any JobDesk
    ) async -> JobEnd {
        switch verdict {
        case .done(let note): return .done(note: note)
        case .retry(let pause, let reason): return .retry(after: pause, reason: reason)
        case .failed(let reason): return .failed(reason: reason)
        case .unwanted(let reason):
            guard let right = desk.right(of: job.title) else { return .failed(reason: reason) }
            do {
                if try await self.webhooks.disable(webhook.id, because: reason, holding: job.title, by: right)
                {
                    self.logger.warning(
                        "a webhook was disabled",
                        metadata: [
                            "webhook": "\(webhook.name)", "job.id": "\(job.title.job)", "reason": "\(reason)",
                        ])
                }
            } catch {
                // The receiver says so again at the next attempt.
                return .retry(
                    after: RetryPlan.pause(after: job.attempt, chance: .random(in: 0...1)),
                    reason: "\(reason); the webhook could not be disabled: \(error.description)")
            }
            return .failed(reason: "\(reason); the webhook is disabled")
        }
    }

    private func request(
        _ payload: WebhookMessage.Payload, to target: WebhookTarget, for job: ClaimedJob
    ) -> WebhookRequest {
        let message = WebhookMessage(payload, webhook: target.webhook.name.description)
        let timestamp = "\(Int64(self.now().timeIntervalSince1970))"
        return WebhookRequest(
            address: target.webhook.address.description,
            headers: [
                ("Content-Type", "application/json"),
                ("User-Agent", "Flotilla/\(self.version)"),
                ("Flotilla-Event", message.kind),
                ("Flotilla-Delivery", "\(job.title.job)"),
                ("Flotilla-Attempt", "\(job.attempt)"),
                ("Flotilla-Epoch", "\(job.title.epoch)"),
                ("Idempotency-Key", message.idempotencyKey),
                ("Flotilla-Timestamp", timestamp),
                (
                    "Flotilla-Signature",
                    WebhookMessage.signature(
                        secret: target.secret.text, timestamp: timestamp, body: message.body)
                ),
            ],
            body: message.body)
    }
}
