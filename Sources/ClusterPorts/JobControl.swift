package import ClusterModel

package import struct Foundation.Date

/// What operators see of the queue and do to it.
///
/// Fails with ``StoreError``.
package protocol JobControl: Sendable {
    /// One page, in the order asked for.
    func jobs(_ query: JobQuery) async throws(StoreError) -> [JobRecord]

    /// One with its history, oldest first; nil when there is none.
    func job(_ id: JobID) async throws(StoreError) -> (record: JobRecord, history: [JobHistoryEntry])?

    /// How many there are by state, kind, account and node.
    func counts(_ grouping: Set<JobGrouping>) async throws(StoreError) -> [JobCount]

    /// Ends jobs that have not ended; a running one's holder is told at its next heartbeat and can commit nothing from
    /// now on. At most 1,000; answers those that it ended.
    func cancel(_ ids: [JobID], by who: String, reason: String?) async throws(StoreError) -> [JobID]

    /// Sends failed and cancelled jobs back, with their attempts counted anew, and makes a delayed one ready now.
    /// Answers those that are ready. At most 1,000.
    func retry(_ ids: [JobID], by who: String) async throws(StoreError) -> [JobID]

    /// Forgets jobs that have ended, with their history. At most 1,000; answers those that are gone.
    func delete(_ ids: [JobID]) async throws(StoreError) -> [JobID]

    func policies() async throws(StoreError) -> [JobPolicy]
    /// Creates or replaces it; nil when `revision` is given and is not the newest.
    func set(_ policy: JobPolicy, ifRevision revision: Int64?) async throws(StoreError) -> JobPolicy?
    func removePolicy(_ scope: JobScope) async throws(StoreError) -> Bool
}

/// Where a job stands.
package enum JobState: String, Hashable, Sendable, CaseIterable {
    case ready, later, waiting, claimed, done, failed, cancelled
}

package struct JobRecord: Hashable, Sendable {
    package var id: JobID
    package var spec: JobSpec
    package var accountName: AccountName?
    package var state: JobState
    /// Claims so far.
    package var attempt: Int
    package var createdAt: Date
    /// Of `later`.
    package var dueAt: Date?
    /// Of `claimed` and of what ended.
    package var epoch: Epoch?
    package var slot: Slot?
    package var node: NodeName?
    package var claimedAt: Date?
    package var endedAt: Date?
    /// Result, or why it failed.
    package var note: String?
    package var progress: JobProgress?
    /// Of `waiting`: how many of its key are before it.
    package var before: Int?

    package init(
        id: JobID, spec: JobSpec, accountName: AccountName?, state: JobState, attempt: Int, createdAt: Date
    ) {
        self.id = id
        self.spec = spec
        self.accountName = accountName
        self.state = state
        self.attempt = attempt
        self.createdAt = createdAt
    }
}

package struct JobHistoryEntry: Hashable, Sendable {
    package var at: Date
    /// `retry`, `gave-back`, `postponed` (the first time in an attempt), `node-died`, `overdue`, `cancelled`, `failed`, `sent-back`.
    package var change: String
    package var attempt: Int
    package var epoch: Epoch?
    package var node: String?
    package var note: String?

    package init(
        at: Date, change: String, attempt: Int, epoch: Epoch?, node: String?, note: String?
    ) {
        self.at = at
        self.change = change
        self.attempt = attempt
        self.epoch = epoch
        self.node = node
        self.note = note
    }
}

/// What to list of the jobs; a nil filter lets everything through.
package struct JobQuery: Hashable, Sendable {
    package var states: Set<JobState> = []
    package var kind: JobKind?
    package var account: AccountID?
    /// Of claimed ones.
    package var node: NodeName?
    package var orderKey: String?
    package var submitter: String?
    package var createdFrom: Date?
    package var createdBefore: Date?
    /// Ids are unique and rise, so a page begins after the last id of the page before.
    package var after: JobID?
    package var newestFirst = false
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}

package enum JobGrouping: String, Hashable, Sendable, CaseIterable {
    case state, kind, account, node
}

package struct JobCount: Hashable, Sendable {
    package var state: JobState?
    package var kind: JobKind?
    package var account: AccountID?
    package var node: NodeName?
    package var jobs: Int
    /// The oldest one's age by the database's clock.
    package var oldest: Duration

    package init(jobs: Int, oldest: Duration) {
        self.jobs = jobs
        self.oldest = oldest
    }
}

/// What a policy is about.
package enum JobScope: Hashable, Sendable, CustomStringConvertible {
    case kind(JobKind)
    case account(AccountID)

    /// As stored: `kind:…` or `account:…`.
    package var description: String {
        switch self {
        case .kind(let kind): "kind:\(kind)"
        case .account(let account): "account:\(account)"
        }
    }
}

package struct JobPolicy: Hashable, Sendable {
    package var scope: JobScope
    /// At most so many run at a time in the whole cluster; 0 holds them all back; nil for no limit.
    package var slots: Int?
    /// At most so many run on one node.
    package var perNode: Int?
    /// The share among accounts; above 0, at most 1,000.
    package var weight: Double
    /// Attributes that a node must have, beside those of the job.
    package var requires: [String]
    package var revision: Int64

    package init(
        scope: JobScope, slots: Int?, perNode: Int?, weight: Double, requires: [String], revision: Int64
    ) {
        self.scope = scope
        self.slots = slots
        self.perNode = perNode
        self.weight = weight
        self.requires = requires
        self.revision = revision
    }
}
