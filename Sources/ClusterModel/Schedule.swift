package import struct Foundation.Date
package import struct Foundation.UUID

/// The name of a schedule: 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
package struct ScheduleName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let description: String

    /// Answers nil when the text is no name.
    package init?(_ text: String) {
        let extra: Set<UInt8> = [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")]
        guard NameRules.isName(text, extra: extra) else { return nil }
        self.description = text
    }

    package static func < (left: ScheduleName, right: ScheduleName) -> Bool {
        left.description < right.description
    }
}

package struct ScheduleID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UUID
    package init(_ rawValue: UUID) { self.rawValue = rawValue }
    package var description: String { self.rawValue.uuidString.lowercased() }

    /// The slice of the standing work that it belongs to for ever: the first byte of the id, which is random.
    package var shard: ShardNumber { ShardNumber.all[Int(self.rawValue.uuid.0)] }

    /// What its jobs run one after the other by.
    package var orderKey: String { "schedule/\(self)" }
}

/// What follows when firings were missed: nobody was there at their time, or the database's clock was set
/// forward.
package enum ScheduleMissed: String, Hashable, Sendable, CaseIterable, Codable {
    /// One job, for the newest, makes up for all of them.
    case once
    /// Each has its job, the oldest first; of more than ``ScheduleRules/mostMissed`` the newest.
    case all
    /// They are skipped; what is up to ``ScheduleRules/onTime`` late was not missed.
    case none
}

/// What follows when it is time, and jobs of earlier firings have not ended.
///
/// Two of them never run at the same time, whichever it is.
package enum ScheduleOverlap: String, Hashable, Sendable, CaseIterable, Codable {
    /// The new job waits behind them, up to ``ScheduleRules/mostWaiting``.
    case wait
    /// The firing is skipped.
    case skip
}

/// A job that comes again by the database's clock.
package struct Schedule: Hashable, Sendable {
    package var id: ScheduleID
    package var name: ScheduleName
    package var enabled: Bool
    package var rhythm: ScheduleRhythm
    package var kind: JobKind
    /// Whose share its jobs are taken from; nil for the house's own.
    package var account: AccountName?
    /// While it is false nothing is fired; what is due meanwhile is missed.
    package var accountEnabled: Bool
    /// A JSON document of at most ``payloadLimit`` bytes.
    package var payload: String
    package var missed: ScheduleMissed
    package var overlap: ScheduleOverlap
    /// Nothing up to here is owed any more: the newest firing, or when it was enabled or its times were
    /// changed.
    package var firedAt: DatabaseTime
    /// By the database's clock, when the row was read.
    package var readAt: DatabaseTime
    /// Of the newest firing that made a job: its time, and the job.
    package var lastAt: Date?
    package var lastJob: JobID?
    /// How many jobs it made, and how many firings have none of their own.
    package var jobs: Int64
    package var skipped: Int64
    /// Rises with each change by an operator; its ETag.
    package var revision: Int64
    package var createdAt: Date
    package var changedAt: Date

    package static let payloadLimit = 16_384

    package init(
        id: ScheduleID, name: ScheduleName, enabled: Bool, rhythm: ScheduleRhythm, kind: JobKind,
        account: AccountName?, accountEnabled: Bool, payload: String, missed: ScheduleMissed,
        overlap: ScheduleOverlap, firedAt: DatabaseTime, readAt: DatabaseTime, lastAt: Date?, lastJob: JobID?,
        jobs: Int64, skipped: Int64, revision: Int64, createdAt: Date, changedAt: Date
    ) {
        self.id = id
        self.name = name
        self.enabled = enabled
        self.rhythm = rhythm
        self.kind = kind
        self.account = account
        self.accountEnabled = accountEnabled
        self.payload = payload
        self.missed = missed
        self.overlap = overlap
        self.firedAt = firedAt
        self.readAt = readAt
        self.lastAt = lastAt
        self.lastJob = lastJob
        self.jobs = jobs
        self.skipped = skipped
        self.revision = revision
        self.createdAt = createdAt
        self.changedAt = changedAt
    }

    /// The next firing, which may be past; nil while it does not fire.
    package var nextAt: DatabaseTime? {
        self.enabled && self.accountEnabled ? self.rhythm.next(after: self.firedAt) : nil
    }

    /// By how much the database's clock was set back behind what was fired; nil when it was not.
    ///
    /// A firing is never in the future when it is made.
    package var ahead: Duration? {
        self.firedAt > self.readAt
            ? .microseconds(self.firedAt.microseconds - self.readAt.microseconds) : nil
    }
}
