package import ClusterModel

/// The queue (docs/QUEUE.md): a job is in exactly one of ready, later, waiting, claimed and ended.
///
/// Each call is one autocommit statement (R1); what acts for a node has rule R3 in it. Fails with ``StoreError``.
package protocol JobStore: Sendable {
    // MARK: Submitting

    /// Enqueues all or, when it throws, none; answers in the order of the specs, at most 1,000.
    ///
    /// After `mayHaveRun` only specs with an idempotency key can be sent again.
    func enqueue(_ specs: [JobSpec]) async throws(StoreError) -> [EnqueueAnswer]

    // MARK: Claiming

    /// What is ready, by lane: at most `lanes` of them, beginning after `lane`, each counted up to `depth`.
    ///
    /// A walk over the index, a few steps a lane. Ask again after the last one when as many came as were asked for.
    func survey(after lane: JobLane?, lanes: Int, depth: Int) async throws(StoreError) -> [LaneBacklog]

    /// Takes what is first in each of the lanes; at most 1,000 in all, each lane once.
    ///
    /// Claims nothing while the member drains. What somebody else is taking in the same moment is stepped over. Nil:
    /// the incarnation is dead.
    func claim(_ shares: [LaneShare], by right: NodeRight) async throws(StoreError) -> [ClaimedJob]?

    /// The claims that this incarnation holds, for one whose ``claim(_:by:)`` lost its answer; at most 1,000, by
    /// epoch.
    func claims(of right: NodeRight, after title: JobTitle?) async throws(StoreError) -> [ClaimedJob]

    /// Ends claims; answers in the order of the endings, at most 1,000, each job once.
    ///
    /// After `mayHaveRun`, ``claims(of:after:)`` tells which are still held; what is not was ended, by this or before.
    func finish(_ endings: [JobEnding], by right: NodeRight) async throws(StoreError) -> [JobEndAnswer]

    /// Notes how far a claimed job is. False: the right was lost.
    func note(_ progress: JobProgress, of title: JobTitle, by right: NodeRight) async throws(StoreError)
        -> Bool

    // MARK: Keeping it going; any live node may, two at once share the work

    /// Gives back what dead incarnations hold: ready again, or failed after the last attempt. At most `limit`;
    /// answers how many of each.
    func sweepClaims(limit: Int, by right: NodeRight) async throws(StoreError) -> SweptClaims

    /// Makes ready what is due and what an order key lets through; at most `limit` of each. Answers how many, and
    /// how long it is until the next one is due.
    func stage(limit: Int, by right: NodeRight) async throws(StoreError) -> StagedJobs

    /// Claims with a deadline, lowest epoch first, beginning after `title`; at most `limit`.
    func deadlines(after title: JobTitle?, limit: Int) async throws(StoreError) -> [OverdueCandidate]

    /// Takes away claims that a sweeper has watched for their deadline on its own clock; their holders are told.
    func sweepOverdue(_ titles: [JobTitle], by right: NodeRight) async throws(StoreError) -> [JobTitle]

    // MARK: Keeping it tidy; the leader's

    /// Makes partitions ahead of the newest job, and lets go of what ended longer ago than `kept`: whole partitions
    /// where nothing else is in them, at most `most` of them (each waits up to 100 ms for its tables, and everybody who wants
    /// them then waits behind it); first of all at most `limit` single rows. Answers how many rows and partitions.
    func tidy(
        kept: Duration, limit: Int, partitions most: Int, by leader: LeaderRight
    ) async throws(StoreError) -> TidiedJobs
}

package struct JobProgress: Hashable, Sendable {
    /// 0 to 1; nil when nobody can say.
    package var fraction: Double?
    package var note: String?
    /// Where another node can go on, a JSON document of at most 64 KiB; nil leaves the last one.
    package var checkpoint: String?

    package init(fraction: Double? = nil, note: String? = nil, checkpoint: String? = nil) {
        self.fraction = fraction
        self.note = note
        self.checkpoint = checkpoint
    }
}

package struct SweptClaims: Hashable, Sendable {
    package var ready: Int
    package var failed: Int

    package init(ready: Int, failed: Int) {
        self.ready = ready
        self.failed = failed
    }
}

package struct StagedJobs: Hashable, Sendable {
    package var ready: Int
    /// Until the next one is due, by the database's clock; nil when none waits.
    package var nextIn: Duration?

    package init(ready: Int, nextIn: Duration?) {
        self.ready = ready
        self.nextIn = nextIn
    }
}

package struct OverdueCandidate: Hashable, Sendable {
    package var title: JobTitle
    package var deadline: Duration

    package init(title: JobTitle, deadline: Duration) {
        self.title = title
        self.deadline = deadline
    }
}

package struct TidiedJobs: Hashable, Sendable {
    package var rows: Int
    package var partitions: Int

    package init(rows: Int, partitions: Int) {
        self.rows = rows
        self.partitions = partitions
    }
}
