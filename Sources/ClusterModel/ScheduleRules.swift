/// What a schedule owes at a moment, and how turns go out together; pure.
///
/// The database's clock decides, and nothing else does: a firing is due when it is after
/// ``DueSchedule/firedAt`` and not after the clock. A clock that was set back makes nothing due until it
/// has come to where it was; one that was set forward makes firings that were missed.
package enum ScheduleRules {
    /// The most missed firings of one schedule that are made up for at a time.
    package static let mostMissed = 1_000
    /// How late a firing may be and still not be missed: a takeover, a restart of the database.
    package static let onTime: Duration = .seconds(60)
    /// Of jobs of one schedule that have not ended: from so many on a turn makes none.
    ///
    /// A turn that begins below makes all its firings, so there may be ``mostWaiting`` and ``mostMissed``, less one.
    package static let mostWaiting = 1_000
    /// The most jobs that one statement makes.
    package static let mostJobs = 1_000

    /// What is to be done about a schedule; nil when nothing is due.
    package static func turn(of schedule: DueSchedule, at now: DatabaseTime) -> ScheduleTurn? {
        let rhythm = schedule.rhythm
        let count = rhythm.count(after: schedule.firedAt, upTo: now)
        guard count > 0 else { return nil }
        let newest = rhythm.last(upTo: now)
        let jobs: Int64
        switch schedule.missed {
        case .once: jobs = 1
        case .all:
            switch schedule.overlap {
            case .wait: jobs = min(count, Int64(Self.mostMissed))
            // They would all begin at once in line; the second one already meets the first.
            case .skip: jobs = 1
            }
        case .none:
            let late = Duration.microseconds(now.microseconds - newest.microseconds)
            jobs = late <= Self.onTime ? 1 : 0
        }
        return ScheduleTurn(
            schedule: schedule, firings: (0..<jobs).map { rhythm.moved(newest, by: $0 - jobs + 1) },
            firedAt: newest, skipped: count - jobs)
    }

    /// Cuts turns into batches, each of at most ``mostJobs`` jobs, in their order; no turn is cut.
    package static func batches(_ turns: [ScheduleTurn]) -> [[ScheduleTurn]] {
        var batches: [[ScheduleTurn]] = []
        var jobs = 0
        for turn in turns {
            if batches.isEmpty || jobs + turn.firings.count > Self.mostJobs {
                batches.append([])
                jobs = 0
            }
            batches[batches.count - 1].append(turn)
            jobs += turn.firings.count
        }
        return batches
    }
}

/// A schedule of which a firing is due, as it was read.
package struct DueSchedule: Hashable, Sendable {
    package var id: ScheduleID
    package var name: ScheduleName
    package var revision: Int64
    package var rhythm: ScheduleRhythm
    package var missed: ScheduleMissed
    package var overlap: ScheduleOverlap
    package var kind: JobKind
    package var account: AccountID?
    package var payload: String
    package var firedAt: DatabaseTime

    package init(
        id: ScheduleID, name: ScheduleName, revision: Int64, rhythm: ScheduleRhythm, missed: ScheduleMissed,
        overlap: ScheduleOverlap, kind: JobKind, account: AccountID?, payload: String, firedAt: DatabaseTime
    ) {
        self.id = id
        self.name = name
        self.revision = revision
        self.rhythm = rhythm
        self.missed = missed
        self.overlap = overlap
        self.kind = kind
        self.account = account
        self.payload = payload
        self.firedAt = firedAt
    }
}

/// Moves a schedule on: everything up to ``firedAt`` is settled by it.
package struct ScheduleTurn: Hashable, Sendable {
    /// As it was read; somebody else's turn, or a change, makes this one void.
    package var schedule: DueSchedule
    /// Each makes a job, the oldest first; empty when all are skipped.
    package var firings: [DatabaseTime]
    package var firedAt: DatabaseTime
    /// Firings without a job.
    package var skipped: Int64

    package init(schedule: DueSchedule, firings: [DatabaseTime], firedAt: DatabaseTime, skipped: Int64) {
        self.schedule = schedule
        self.firings = firings
        self.firedAt = firedAt
        self.skipped = skipped
    }

    /// The jobs that it makes.
    ///
    /// A firing's key is in the queue for ever or until its job is forgotten: it never has two.
    package var jobs: [JobSpec] {
        self.firings.map { firing in
            var spec = JobSpec(
                kind: self.schedule.kind, account: self.schedule.account, payload: self.schedule.payload,
                submitter: Self.submitter(self.schedule.name))
            spec.orderKey = self.schedule.id.orderKey
            spec.idempotencyKey = Self.key(self.schedule.id, firing)
            return spec
        }
    }

    /// For people, in each job that was fired.
    package static func submitter(_ name: ScheduleName) -> String { "schedule:\(name)" }

    /// Sorts by time for each schedule.
    package static func key(_ id: ScheduleID, _ firing: DatabaseTime) -> String {
        "\(Self.keyPrefix(id))\(firing)"
    }

    package static func keyPrefix(_ id: ScheduleID) -> String { "schedule/\(id)/" }
}
