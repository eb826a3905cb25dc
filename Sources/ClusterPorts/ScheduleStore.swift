package import ClusterModel

package import struct Foundation.Date

/// Schedules, as operators see and change them.
///
/// Each call is one autocommit statement. What changes something raises the configuration version, by which
/// every node hears of it with its next heartbeat. Fails with ``StoreError``.
package protocol ScheduleStore: Sendable {
    /// At most ``ScheduleLimits/most`` in a cluster.
    ///
    /// Nothing before is owed: the first firing is after this moment.
    func create(_ schedule: NewSchedule) async throws(StoreError) -> ScheduleCreation
    /// One page, by name.
    func schedules(_ query: ScheduleQuery) async throws(StoreError) -> [Schedule]
    func schedule(named name: ScheduleName) async throws(StoreError) -> Schedule?
    /// The newest firings that made jobs and whose jobs are not forgotten; newest first.
    func firings(of id: ScheduleID, named name: ScheduleName, limit: Int) async throws(StoreError)
        -> [ScheduleFiring]
    /// Applies the change if the schedule has the revision (when one is given).
    func change(
        _ name: ScheduleName, _ change: ScheduleChange, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Schedule>
    /// Answers the schedule that is gone; its jobs stay.
    func remove(
        _ name: ScheduleName, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Schedule>
}

package enum ScheduleLimits {
    /// A node that owns all shards looks at all of them whenever one is due.
    package static let most = 10_000
}

package struct NewSchedule: Hashable, Sendable {
    package var name: ScheduleName
    package var enabled = true
    /// Seconds between two firings; ``ScheduleRhythm/periods``.
    package var every: Int64
    /// Nil: the moment of the creation, to the second.
    package var anchor: DatabaseTime?
    package var kind: JobKind
    package var account: AccountName?
    package var payload = "{}"
    package var missed = ScheduleMissed.once
    package var overlap = ScheduleOverlap.wait

    package init(name: ScheduleName, every: Int64, kind: JobKind) {
        self.name = name
        self.every = every
        self.kind = kind
    }
}

package enum ScheduleCreation: Hashable, Sendable {
    case created(Schedule)
    /// The name is taken.
    case taken
    case unknownAccount
    /// There are ``ScheduleLimits/most`` already.
    case tooMany
}

/// What to change of a schedule; nil leaves it.
///
/// Enabling it and changing its times settles everything up to now: the next firing is after this moment.
package struct ScheduleChange: Hashable, Sendable {
    package var enabled: Bool?
    package var every: Int64?
    package var anchor: DatabaseTime?
    package var payload: String?
    package var missed: ScheduleMissed?
    package var overlap: ScheduleOverlap?

    package init() {}
}

/// What to list of the schedules; a nil filter lets everything through.
package struct ScheduleQuery: Hashable, Sendable {
    package var account: AccountName?
    package var kind: JobKind?
    package var enabled: Bool?
    /// The last name of the page before.
    package var after: ScheduleName?
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}

/// A firing that made a job.
package struct ScheduleFiring: Hashable, Sendable {
    /// When it was due: `2026-11-22T02:00:00Z`.
    package var due: String
    /// When the job was made, by the database's clock.
    package var firedAt: Date
    package var job: JobID
    /// Nil while it has not ended.
    package var outcome: JobState?

    package init(due: String, firedAt: Date, job: JobID, outcome: JobState?) {
        self.due = due
        self.firedAt = firedAt
        self.job = job
        self.outcome = outcome
    }
}
