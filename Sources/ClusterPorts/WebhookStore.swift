package import ClusterModel

package import struct Foundation.UUID

/// Webhooks.
///
/// What is changed here counts for every change of names that is finished after the answer.
///
/// Each call is one autocommit statement. Fails with ``StoreError``.
package protocol WebhookStore: Sendable {
    /// At most ``WebhookLimits/most`` in a cluster.
    func create(_ webhook: NewWebhook) async throws(StoreError) -> WebhookCreation
    /// One page, by name.
    func webhooks(_ query: WebhookQuery) async throws(StoreError) -> [Webhook]
    func webhook(named name: WebhookName) async throws(StoreError) -> Webhook?
    /// With the secret: for whoever sends.
    func target(_ id: UUID) async throws(StoreError) -> WebhookTarget?
    /// Applies the change if the webhook has the revision (when one is given).
    func change(
        _ name: WebhookName, _ change: WebhookChange, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Webhook>
    /// Answers the webhook that is gone.
    ///
    /// Its jobs end when they are claimed.
    func remove(_ name: WebhookName, ifRevision revision: Int64?) async throws(StoreError) -> ChangeAnswer<
        Webhook
    >
    /// Enqueues a message that says that it is a test.
    ///
    /// Nil when there is no such webhook.
    func enqueueTest(of name: WebhookName, by who: String) async throws(StoreError) -> JobID?
    /// For the holder of a claim whose receiver wants no more.
    ///
    /// False: the right was lost, or it is disabled or gone.
    func disable(
        _ id: UUID, because reason: String, holding title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Bool
}

package enum WebhookLimits {
    /// Each finished change is compared with all of them.
    package static let most = 100
}

package struct NewWebhook: Hashable, Sendable {
    package var name: WebhookName
    package var enabled = true
    package var account: AccountName?
    package var events: Set<EventKind>
    package var below = HomePath.home
    package var address: WebhookAddress
    package var secret: WebhookSecret
    package var maxAttempts = 20
    package var ordered = false

    package init(name: WebhookName, events: Set<EventKind>, address: WebhookAddress, secret: WebhookSecret) {
        self.name = name
        self.events = events
        self.address = address
        self.secret = secret
    }
}

package enum WebhookCreation: Hashable, Sendable {
    case created(Webhook)
    /// The name is taken.
    case taken
    case unknownAccount
    /// There are ``WebhookLimits/most`` already.
    case tooMany
}

/// What to change of a webhook; nil leaves it.
package struct WebhookChange: Hashable, Sendable {
    /// True forgets why it was disabled.
    package var enabled: Bool?
    package var events: Set<EventKind>?
    package var below: HomePath?
    package var address: WebhookAddress?
    package var secret: WebhookSecret?
    package var maxAttempts: Int?
    package var ordered: Bool?

    package init() {}
}

package struct WebhookTarget: Hashable, Sendable {
    package var webhook: Webhook
    package var secret: WebhookSecret

    package init(webhook: Webhook, secret: WebhookSecret) {
        self.webhook = webhook
        self.secret = secret
    }
}

/// What to list of the webhooks; a nil filter lets everything through.
package struct WebhookQuery: Hashable, Sendable {
    package var account: AccountName?
    package var enabled: Bool?
    /// The last name of the page before.
    package var after: WebhookName?
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}
