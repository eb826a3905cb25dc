package import ClusterModel
package import ClusterPorts
package import Foundation
import HTTPDoor

/// One job.
package struct JobAnswer: Sendable, Equatable, Codable {
    package struct Progress: Sendable, Equatable, Codable {
        package var fraction: Double?
        package var note: String?
    }
    package var id: Int64
    package var kind: String
    package var state: String
    package var account: String?
    package var submitter: String
    package var priority: Int
    package var attempt: Int
    package var maxAttempts: Int
    package var createdAt: Date
    package var dueAt: Date?
    package var orderKey: String?
    /// Of one that waits: how many of its key are before it.
    package var before: Int?
    package var requires: [String]
    package var bytes: Int64
    package var deadlineSeconds: Double?
    package var node: String?
    package var epoch: Int64?
    package var claimedAt: Date?
    package var endedAt: Date?
    /// Result, or why it failed.
    package var note: String?
    package var progress: Progress?
    package var payload: JSONValue

    package init(_ job: JobRecord) {
        self.id = job.id.rawValue
        self.kind = job.spec.kind.description
        self.state = job.state.rawValue
        self.account = job.accountName?.description ?? job.spec.account?.description
        self.submitter = job.spec.submitter
        self.priority = job.spec.priority
        self.attempt = job.attempt
        self.maxAttempts = job.spec.maxAttempts
        self.createdAt = job.createdAt
        self.dueAt = job.dueAt
        self.orderKey = job.spec.orderKey
        self.before = job.before
        self.requires = job.spec.requires
        self.bytes = job.spec.bytes
        self.deadlineSeconds = job.spec.deadline.map { Double($0.wholeMilliseconds) / 1_000 }
        self.node = job.node?.description
        self.epoch = job.epoch?.rawValue
        self.claimedAt = job.claimedAt
        self.endedAt = job.endedAt
        self.note = job.note
        self.progress = job.progress.map { Progress(fraction: $0.fraction, note: $0.note) }
        self.payload = (try? BodyFields.value(Array(job.spec.payload.utf8))) ?? .null
    }
}

/// One job with what happened to it, oldest first.
package struct JobStoryAnswer: Sendable, Equatable, Codable {
    package struct Entry: Sendable, Equatable, Codable {
        package var at: Date
        package var change: String
        package var attempt: Int
        package var epoch: Int64?
        package var node: String?
        package var note: String?
    }
    package var job: JobAnswer
    package var history: [Entry]
    /// Why it stands where it stands, for people.
    package var because: [String]

    package init(_ job: JobRecord, _ history: [JobHistoryEntry], because: [String]) {
        self.job = JobAnswer(job)
        self.history = history.map {
            Entry(
                at: $0.at, change: $0.change, attempt: $0.attempt, epoch: $0.epoch?.rawValue, node: $0.node,
                note: $0.note)
        }
        self.because = because
    }
}

/// How many jobs there are of a sort.
package struct JobCountAnswer: Sendable, Equatable, Codable {
    package var state: String?
    package var kind: String?
    package var account: String?
    package var node: String?
    package var jobs: Int
    package var oldestSeconds: Double

    package init(_ count: JobCount) {
        self.state = count.state?.rawValue
        self.kind = count.kind?.description
        self.account = count.account?.description
        self.node = count.node?.description
        self.jobs = count.jobs
        self.oldestSeconds = Double(count.oldest.wholeMilliseconds) / 1_000
    }
}

/// What came of submitting one.
package struct SubmittedAnswer: Sendable, Equatable, Codable {
    package var id: Int64
    /// It had been submitted before, under the same idempotency key.
    package var duplicate: Bool
}

/// What came of an order for many: those that it concerned; the others were not in a state for it.
package struct JobsDoneAnswer: Sendable, Equatable, Codable {
    package var done: [Int64]
    package var skipped: [Int64]

    package init(asked: [JobID], done: [JobID]) {
        let found = Set(done)
        self.done = done.map(\.rawValue).sorted()
        self.skipped = asked.filter { !found.contains($0) }.map(\.rawValue).sorted()
    }
}

/// Limits, weight and places of a kind or an account.
package struct PolicyAnswer: Sendable, Equatable, Codable {
    package var scope: String
    package var slots: Int?
    package var perNode: Int?
    package var weight: Double
    package var requires: [String]
    package var revision: Int64

    package init(_ policy: JobPolicy, scope: String) {
        self.scope = scope
        self.slots = policy.slots
        self.perNode = policy.perNode
        self.weight = policy.weight
        self.requires = policy.requires
        self.revision = policy.revision
    }
}
