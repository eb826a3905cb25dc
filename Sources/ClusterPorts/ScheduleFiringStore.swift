package import ClusterModel

/// Schedules, as whoever owns their shards sees and fires them.
///
/// Each call is one autocommit statement (R1). Fails with ``StoreError``.
package protocol ScheduleFiringStore: Sendable {
    /// The enabled schedules of these shards of which a firing is due by the database's clock, the longest
    /// due first.
    ///
    /// - Parameters:
    ///   - after: where the page before ended.
    ///   - limit: 1 to 1,000.
    func due(
        in shards: [ShardNumber], after: DueCursor?, limit: Int
    ) async throws(StoreError) -> DueSchedules

    /// Makes the jobs of turns, all in one statement, and moves their schedules on.
    ///
    /// A turn is made only if the asker lives and owns the schedule's shard by one of these titles until
    /// the statement has committed (R3), the schedule and its account are enabled, and it stands where it
    /// was read: same revision, same ``DueSchedule/firedAt``. So each firing is made once, by whomever, and
    /// an answer that was lost does no harm: whoever reads again sees what is still due. Where too many
    /// jobs of earlier firings have not ended (``ScheduleOverlap``), the schedule moves on without jobs.
    ///
    /// - Parameter turns: at most ``ScheduleRules/mostJobs`` jobs in all, each schedule once.
    func fire(
        _ turns: [ScheduleTurn], owning titles: [ShardTitle], by right: NodeRight
    ) async throws(StoreError) -> ScheduleFired
}

package struct DueSchedules: Hashable, Sendable {
    /// By the database's clock, when it looked.
    package var now: DatabaseTime
    package var schedules: [DueSchedule]
    /// The next firing of the schedules of these shards of which none was due; nil when there are no such
    /// schedules.
    package var next: DatabaseTime?
    /// Where the next page begins; nil after the last one.
    package var more: DueCursor?
    /// What this program cannot read, one line each; it holds nothing else up.
    package var unreadable: [String]

    package init(
        now: DatabaseTime, schedules: [DueSchedule] = [], next: DatabaseTime?, more: DueCursor? = nil,
        unreadable: [String] = []
    ) {
        self.now = now
        self.schedules = schedules
        self.next = next
        self.more = more
        self.unreadable = unreadable
    }
}

/// A place among the schedules that are due.
package struct DueCursor: Hashable, Sendable {
    package var due: DatabaseTime
    package var id: ScheduleID

    package init(due: DatabaseTime, id: ScheduleID) {
        self.due = due
        self.id = id
    }
}

package struct ScheduleFired: Hashable, Sendable {
    /// The schedules that were moved on by this call, and how many jobs each of them made.
    package var jobs: [ScheduleID: Int]
    /// The shards that the asker owned; by the other titles it owns nothing any more.
    package var owned: Set<ShardNumber>

    package init(jobs: [ScheduleID: Int], owned: Set<ShardNumber>) {
        self.jobs = jobs
        self.owned = owned
    }
}
