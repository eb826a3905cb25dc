import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// How schedules are read from their rows.
enum ScheduleRow {
    /// For a row called `s`; twenty columns.
    static let columns: PostgresStatement = """
        s.id, s.name, s.enabled, s.every_s, \(microseconds("s.anchor")), s.kind,
        (select a.name from flotilla.account a where a.id = s.account_id),
        coalesce((select a.enabled from flotilla.account a where a.id = s.account_id), true), s.payload, s.missed,
        s.overlap, \(microseconds("s.fired_at")), \(microseconds("clock_timestamp()")), s.last_at, s.last_job, s.jobs,
        s.skipped, s.revision, s.created_at, s.changed_at
        """

    static func schedule(_ row: PostgresRow, from start: Int = 0) throws(StoreError) -> Schedule {
        func column<Value: PostgresDecodable>(_ place: Int, _ type: Value.Type) throws(StoreError) -> Value {
            try row.reading(column: start + place, as: type)
        }
        return Schedule(
            id: ScheduleID(try column(0, UUID.self)),
            name: try ScheduleName(stored: column(1, String.self)),
            enabled: try column(2, Bool.self),
            rhythm: try Self.rhythm(every: column(3, Int64.self), anchor: column(4, Int64.self)),
            kind: try JobKind(job: column(5, String.self)),
            account: try column(6, String?.self).map {
                (text) throws(StoreError) in try AccountName(stored: text)
            },
            accountEnabled: try column(7, Bool.self),
            payload: try column(8, PostgresJSON.self).text,
            missed: try Self.missed(column(9, String.self)),
            overlap: try Self.overlap(column(10, String.self)),
            firedAt: DatabaseTime(microseconds: try column(11, Int64.self)),
            readAt: DatabaseTime(microseconds: try column(12, Int64.self)),
            lastAt: try column(13, Date?.self),
            lastJob: try column(14, Int64?.self).map { (id) throws(StoreError) in try JobID(stored: id) },
            jobs: try column(15, Int64.self), skipped: try column(16, Int64.self),
            revision: try column(17, Int64.self),
            createdAt: try column(18, Date.self), changedAt: try column(19, Date.self))
    }

    /// Of a row called `s`; eleven columns.
    static let due: PostgresStatement = """
        s.id, s.name, s.revision, s.every_s, \(microseconds("s.anchor")), s.missed, s.kind, s.account_id, s.payload,
        \(microseconds("s.fired_at")), s.overlap
        """

    static func due(_ row: PostgresRow, from start: Int) throws(StoreError) -> DueSchedule {
        func column<Value: PostgresDecodable>(_ place: Int, _ type: Value.Type) throws(StoreError) -> Value {
            try row.reading(column: start + place, as: type)
        }
        return DueSchedule(
            id: ScheduleID(try column(0, UUID.self)),
            name: try ScheduleName(stored: column(1, String.self)),
            revision: try column(2, Int64.self),
            rhythm: try Self.rhythm(every: column(3, Int64.self), anchor: column(4, Int64.self)),
            missed: try Self.missed(column(5, String.self)),
            overlap: try Self.overlap(column(10, String.self)),
            kind: try JobKind(job: column(6, String.self)),
            account: try column(7, UUID?.self).map { AccountID($0) },
            payload: try column(8, PostgresJSON.self).text,
            firedAt: DatabaseTime(microseconds: try column(9, Int64.self)))
    }

    /// SQL for the microseconds since 1970 of a time; exact.
    static func microseconds(_ time: PostgresStatement) -> PostgresStatement {
        "(extract(epoch from \(time)) * 1000000)::int8"
    }

    /// SQL for the time of microseconds since 1970; exact.
    static func time(_ microseconds: PostgresStatement) -> PostgresStatement {
        "(timestamptz 'epoch' + \(microseconds) * interval '1 microsecond')"
    }

    private static func rhythm(every: Int64, anchor: Int64) throws(StoreError) -> ScheduleRhythm {
        guard let rhythm = ScheduleRhythm(every: every, anchor: DatabaseTime(microseconds: anchor)) else {
            throw .corrupt("no schedule fires every \(every) s from \(anchor) µs on")
        }
        return rhythm
    }

    private static func missed(_ text: String) throws(StoreError) -> ScheduleMissed {
        guard let missed = ScheduleMissed(rawValue: text) else {
            throw .corrupt("“\(text)” says nothing about missed firings")
        }
        return missed
    }

    private static func overlap(_ text: String) throws(StoreError) -> ScheduleOverlap {
        guard let overlap = ScheduleOverlap(rawValue: text) else {
            throw .corrupt("“\(text)” says nothing about firings that overlap")
        }
        return overlap
    }
}

extension ScheduleName {
    init(stored text: String) throws(StoreError) {
        guard let name = ScheduleName(text) else { throw .corrupt("“\(text)” is no name of a schedule") }
        self = name
    }
}
