package import ClusterModel
package import ClusterPorts
package import Foundation
import HTTPDoor

/// A schedule; with its newest firings when it is shown alone.
package struct ScheduleAnswer: Sendable, Equatable, Codable {
    package struct Firing: Sendable, Equatable, Codable {
        /// When it was due.
        package var due: String
        /// When its job was made, by the database's clock.
        package var firedAt: Date
        package var job: Int64
        /// `done`, `failed` or `cancelled`; nil while it has not ended.
        package var outcome: String?
    }
    package var name: String
    package var id: String
    package var enabled: Bool
    package var kind: String
    package var account: String?
    package var payload: JSONValue
    package var everySeconds: Int64
    package var anchor: Date
    /// The time of day in UTC, of those that fire once a day.
    package var dailyAt: String?
    package var missed: ScheduleMissed
    package var overlap: ScheduleOverlap
    /// Nil while it does not fire.
    package var nextAt: Date?
    /// Of the newest firing that made a job.
    package var lastAt: Date?
    package var lastJob: Int64?
    package var jobs: Int64
    package var skipped: Int64
    package var orderKey: String
    package var shard: Int
    /// Why it does not fire, for people; empty when it does.
    package var because: [String]
    package var revision: Int64
    package var createdAt: Date
    package var changedAt: Date
    package var firings: [Firing]?

    package init(_ schedule: Schedule, firings: [ScheduleFiring]? = nil) {
        self.name = schedule.name.description
        self.id = schedule.id.description
        self.enabled = schedule.enabled
        self.kind = schedule.kind.description
        self.account = schedule.account?.description
        self.payload = (try? BodyFields.value(Array(schedule.payload.utf8))) ?? .null
        self.everySeconds = schedule.rhythm.every
        self.anchor = schedule.rhythm.anchor.date
        self.dailyAt = schedule.rhythm.dailyAt
        self.missed = schedule.missed
        self.overlap = schedule.overlap
        self.nextAt = schedule.nextAt?.date
        self.lastAt = schedule.lastAt
        self.lastJob = schedule.lastJob?.rawValue
        self.jobs = schedule.jobs
        self.skipped = schedule.skipped
        self.orderKey = schedule.id.orderKey
        self.shard = Int(schedule.id.shard.rawValue)
        self.because = Self.because(schedule)
        self.revision = schedule.revision
        self.createdAt = schedule.createdAt
        self.changedAt = schedule.changedAt
        self.firings = firings?.map {
            Firing(due: $0.due, firedAt: $0.firedAt, job: $0.job.rawValue, outcome: $0.outcome?.rawValue)
        }
    }

    private static func because(_ schedule: Schedule) -> [String] {
        var lines: [String] = []
        if !schedule.enabled { lines.append("it is disabled") }
        if !schedule.accountEnabled {
            lines.append("its account is disabled; what is due meanwhile counts as missed")
        }
        if let ahead = schedule.ahead {
            let seconds = ahead.wholeMilliseconds / 1_000
            lines.append(
                "the database's clock was set back: what was fired last lies \(seconds) s in its future. "
                    + "It fires again after that time, or from now on once it is enabled again")
        }
        return lines
    }
}
