package import ClusterModel

package import struct Foundation.Date
package import struct Foundation.UUID

/// What happened and was told to somebody.
///
/// Events are written by the statement that makes a change final.
package protocol EventStore: Sendable {
    /// One page, by id.
    func events(_ query: EventQuery) async throws(StoreError) -> [EventRecord]
    /// With what became of its jobs; nil when there is no such event.
    func event(
        _ id: EventID
    ) async throws(StoreError) -> (record: EventRecord, deliveries: [EventDelivery])?
}

/// What became of one job of an event.
package struct EventDelivery: Hashable, Sendable {
    package var job: JobID
    /// Nil when the webhook, or the job itself, is gone.
    package var webhook: WebhookName?
    /// Where the job stands; nil when it ended so long ago that it is forgotten.
    package var state: JobState?
    /// Of `later`.
    package var dueAt: Date?
    package var attempts: Int?
    /// The receiver's answer, or why it failed.
    package var note: String?
    package var endedAt: Date?

    package init(
        job: JobID, webhook: WebhookName?, state: JobState?, attempts: Int?, dueAt: Date?, note: String?,
        endedAt: Date?
    ) {
        self.job = job
        self.webhook = webhook
        self.state = state
        self.dueAt = dueAt
        self.attempts = attempts
        self.note = note
        self.endedAt = endedAt
    }

    /// How it ended; nil when it has not, or is forgotten.
    package var outcome: JobState? {
        switch self.state {
        case .done, .failed, .cancelled: self.state
        case .ready, .later, .waiting, .claimed, nil: nil
        }
    }
}

/// What to list of the events; a nil filter lets everything through.
package struct EventQuery: Hashable, Sendable {
    package var account: AccountName?
    package var kind: EventKind?
    package var operation: UUID?
    package var from: Date?
    package var before: Date?
    /// The last id of the page before.
    package var after: EventID?
    package var newestFirst = true
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}
