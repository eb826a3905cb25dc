/// Counts jobs, one sequence for the cluster; later jobs have higher numbers.
package struct JobID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Always positive.
    package let rawValue: Int64

    /// Answers nil for numbers that no database of ours issues.
    package init?(rawValue: Int64) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    package static func < (left: JobID, right: JobID) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }
}

/// What is to be done: names the handler; 1 to 32 of `a-z 0-9 -`, beginning with a letter.
package typealias JobKind = LeaseKind

/// One line of waiting jobs: those of one kind, one account, and the same required places.
package struct JobLane: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int64

    package init(_ rawValue: Int64) { self.rawValue = rawValue }

    package static func < (left: JobLane, right: JobLane) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }
}

/// What somebody who claims a job presents when it commits: together with its live incarnation, the right to.
package struct JobTitle: Hashable, Sendable {
    package var job: JobID
    package var epoch: Epoch

    package init(job: JobID, epoch: Epoch) {
        self.job = job
        self.epoch = epoch
    }
}

/// What a submitter asks for.
package struct JobSpec: Hashable, Sendable {
    package var kind: JobKind
    /// Whose share it is taken from; nil for the house's own.
    package var account: AccountID?
    /// A JSON document of at most 64 KiB; only the handler reads it.
    package var payload: String
    /// 0 to 9, 9 first; a level is worth a minute of waiting, so nothing waits for ever.
    package var priority = 5
    /// Not before so long from now, by the database's clock.
    package var delay: Duration?
    /// Jobs with the same key run one after the other, in the order in which they were enqueued; 1 to 200 bytes.
    package var orderKey: String?
    /// What it costs its account's share: the size of the file, or 0.
    package var bytes: Int64 = 0
    /// Claims until it is given up; 1 to 1,000.
    package var maxAttempts = 20
    /// A claim that lasts longer is taken away, watched on a leader's own clock; a second to a week.
    package var deadline: Duration?
    /// `key=value` attributes that a node must have; an empty set of such nodes means every node.
    package var requires: [String] = []
    /// Who asks, for people, and the namespace of ``idempotencyKey``.
    package var submitter: String
    /// The same submitter's same key enqueues nothing again; 1 to 200 bytes.
    package var idempotencyKey: String?

    package init(kind: JobKind, account: AccountID? = nil, payload: String, submitter: String) {
        self.kind = kind
        self.account = account
        self.payload = payload
        self.submitter = submitter
    }

    package static let payloadLimit = 65_536
}

/// What came of one job of a batch that was to be enqueued.
package enum EnqueueAnswer: Hashable, Sendable {
    case enqueued(JobID)
    /// The submitter's key was used before, for this job and with the same content.
    case duplicate(JobID)
    /// The submitter's key was used before with another content.
    case keyReused(JobID)
}

/// A job in the hands of the node that claimed it.
package struct ClaimedJob: Hashable, Sendable {
    package var title: JobTitle
    package var lane: JobLane
    package var kind: JobKind
    package var account: AccountID?
    package var payload: String
    package var bytes: Int64
    /// This claim's number, from 1.
    package var attempt: Int
    package var maxAttempts: Int
    package var deadline: Duration?
    /// What the last attempt had got to, a JSON document.
    package var checkpoint: String?
    /// From when it could have been taken until it was, by the database's clock.
    package var waited: Duration
    /// Where it stood in its lane, so that the next claim need not begin before it; nil when the store does not say.
    package var rank: Int64?
    /// It has an order key: when it ends, the next one of its key may be let through.
    package var isOrdered = false

    package init(
        title: JobTitle, lane: JobLane, kind: JobKind, account: AccountID?, payload: String, bytes: Int64,
        attempt: Int, maxAttempts: Int, deadline: Duration?, checkpoint: String?, waited: Duration
    ) {
        self.title = title
        self.lane = lane
        self.kind = kind
        self.account = account
        self.payload = payload
        self.bytes = bytes
        self.attempt = attempt
        self.maxAttempts = maxAttempts
        self.deadline = deadline
        self.checkpoint = checkpoint
        self.waited = waited
    }
}

/// How a claim ends, as its holder says.
package enum JobEnd: Hashable, Sendable {
    /// With a line for people, or nothing.
    case done(note: String?)
    /// Again after so long, unless that was the last attempt: then it is failed.
    case retry(after: Duration, reason: String)
    /// Another attempt would not help.
    case failed(reason: String)
    /// Not begun, or handed over at a checkpoint: ready at once, and the attempt does not count.
    case givenBack(reason: String)
    /// Not begun, because something that it needs is busy: again after so long, and the attempt does not count.
    case postponed(for: Duration, reason: String)
}

package struct JobEnding: Hashable, Sendable {
    package var title: JobTitle
    package var end: JobEnd

    package init(title: JobTitle, end: JobEnd) {
        self.title = title
        self.end = end
    }
}

/// What came of an ending.
package enum JobEndAnswer: Hashable, Sendable {
    /// The right held until this very statement, and the job is where the ending put it.
    case accepted
    /// It held, but that was the last attempt: the job has failed.
    case acceptedAsFailed
    /// The right was lost before: swept, overdue, cancelled, or the incarnation is dead.
    case fenced
}

/// A lane as a survey found it.
package struct LaneBacklog: Hashable, Sendable {
    package var lane: JobLane
    package var kind: JobKind
    package var account: AccountID?
    package var requires: [String]
    /// Counted up to the survey's bound.
    package var ready: Int
    /// The rank of the first job; a claim may begin there.
    package var firstRank: Int64
    /// How long the first one has been waiting, by the database's clock; at least 0.
    package var waited: Duration
    /// The share of its account among the others; 1 unless a policy says otherwise.
    package var weight: Double
    /// What policies leave of limits of its kind and account; nil without any.
    package var room: Int?
    /// The most of its kind on one node; nil without such a policy.
    package var perNode: Int?

    package init(
        lane: JobLane, kind: JobKind, account: AccountID?, requires: [String], ready: Int, firstRank: Int64,
        waited: Duration, weight: Double = 1, room: Int? = nil, perNode: Int? = nil
    ) {
        self.lane = lane
        self.kind = kind
        self.account = account
        self.requires = requires
        self.ready = ready
        self.firstRank = firstRank
        self.waited = waited
        self.weight = weight
        self.room = room
        self.perNode = perNode
    }
}

/// What to take from one lane.
package struct LaneShare: Hashable, Sendable {
    package var lane: JobLane
    package var kind: JobKind
    package var account: AccountID?
    /// Begin at this rank: what lies below was gone when somebody looked.
    ///
    /// Nil for the beginning.
    package var from: Int64?
    /// At least 1.
    package var most: Int

    package init(lane: JobLane, kind: JobKind, account: AccountID?, from: Int64?, most: Int) {
        self.lane = lane
        self.kind = kind
        self.account = account
        self.from = from
        self.most = most
    }
}
