package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// Schedules, for operators. A change locks the schedule's row first and the cluster's row last.
extension PostgresStore: ScheduleStore {
    package func create(_ schedule: NewSchedule) async throws(StoreError) -> ScheduleCreation {
        try Self.check(every: schedule.every, anchor: schedule.anchor, payload: schedule.payload)
        let account = schedule.account?.description
        let id = ScheduleID(UUID())
        let row = try await self.one(
            """
            with owner as materialized (
                select id from flotilla.account where name = \(account)
            ), w as (
                insert into flotilla.schedule (
                    id, name, enabled, every_s, anchor, fired_at, kind, account_id, payload, missed, overlap, shard)
                select \(id.rawValue), \(schedule.name.description), \(schedule.enabled), \(schedule.every),
                       coalesce(
                           \(ScheduleRow.time("\(schedule.anchor?.microseconds)::int8")), date_trunc('second', n.time)),
                       n.time, \(schedule.kind.description), (select id from owner),
                       \(PostgresJSON(schedule.payload)), \(schedule.missed.rawValue), \(schedule.overlap.rawValue),
                       \(id.shard.rawValue)
                from (select clock_timestamp() as time) n
                where (\(account) is null or exists (select from owner))
                  and (select count(*) from flotilla.schedule) < \(ScheduleLimits.most)
                on conflict (name) do nothing
                returning *
            ), \(Self.heard(ifAny: "w"))
            select case
                when exists (select from w) then 'created'
                when \(account) is not null and not exists (select from owner) then 'unknownAccount'
                when exists (select from flotilla.schedule where name = \(schedule.name.description)) then 'taken'
                when (select count(*) from flotilla.schedule) >= \(ScheduleLimits.most) then 'tooMany'
                else 'taken' end, \(ScheduleRow.columns)
            from (select) one left join w s on true
            """)
        let answer = try row.reading(column: 0, as: String.self)
        switch answer {
        case "created": return .created(try ScheduleRow.schedule(row, from: 1))
        case "unknownAccount": return .unknownAccount
        case "taken": return .taken
        case "tooMany": return .tooMany
        default: throw .corrupt("“\(answer)” is no answer to a new schedule")
        }
    }

    package func schedules(_ query: ScheduleQuery) async throws(StoreError) -> [Schedule] {
        try Self.check(batch: query.limit)
        let rows = try await self.run(
            """
            select \(ScheduleRow.columns) from flotilla.schedule s
            where s.name > \(query.after?.description ?? "")
              and (\(query.enabled) is null or s.enabled = \(query.enabled))
              and (\(query.kind?.description) is null or s.kind = \(query.kind?.description))
              and (\(query.account?.description) is null or s.account_id = (
                    select id from flotilla.account where name = \(query.account?.description)))
            order by s.name limit \(query.limit)
            """)
        var schedules: [Schedule] = []
        for row in rows { schedules.append(try ScheduleRow.schedule(row)) }
        return schedules
    }

    package func schedule(named name: ScheduleName) async throws(StoreError) -> Schedule? {
        let rows = try await self.run(
            "select \(ScheduleRow.columns) from flotilla.schedule s where s.name = \(name.description)")
        guard let row = rows.first else { return nil }
        return try ScheduleRow.schedule(row)
    }

    package func firings(
        of id: ScheduleID, named name: ScheduleName, limit: Int
    ) async throws(StoreError) -> [ScheduleFiring] {
        try Self.check(batch: limit)
        let prefix = ScheduleTurn.keyPrefix(id)
        // All that begins with the prefix: `0` is the character after the slash at its end.
        let rows = try await self.run(
            """
            select f.due, f.at, f.job, case o.status when 'd' then 'done' when 'f' then 'failed' when 'c' then 'cancelled' end
            from (
                select substr(idempotency_key, \(Int32(prefix.utf8.count + 1))) as due, at, job from flotilla.job_submission
                where submitter = \(ScheduleTurn.submitter(name)) and idempotency_key > \(prefix)
                  and idempotency_key < \(String(prefix.dropLast()) + "0")
                order by idempotency_key desc limit \(limit)
            ) f
            left join lateral (select o.status from flotilla.outcome o where o.job = f.job limit 1) o on true
            order by f.due desc
            """)
        var firings: [ScheduleFiring] = []
        for row in rows {
            let outcome = try row.reading(column: 3, as: String?.self)
            firings.append(
                ScheduleFiring(
                    due: try row.reading(column: 0, as: String.self),
                    firedAt: try row.reading(column: 1, as: Date.self),
                    job: try JobID(stored: row.reading(column: 2, as: Int64.self)),
                    outcome: try outcome.map { (text) throws(StoreError) in try JobState(stored: text) }))
        }
        return firings
    }

    package func change(
        _ name: ScheduleName, _ change: ScheduleChange, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Schedule> {
        try Self.check(every: change.every, anchor: change.anchor, payload: change.payload)
        // What was due by the old times is not owed by the new ones, nor what passed while it was disabled.
        let settles = change.enabled == true || change.every != nil || change.anchor != nil
        return try await self.changed(
            name, ifRevision: revision,
            by: """
                update flotilla.schedule c
                set enabled = coalesce(\(change.enabled), c.enabled),
                    every_s = coalesce(\(change.every), c.every_s),
                    anchor = coalesce(\(ScheduleRow.time("\(change.anchor?.microseconds)::int8")), c.anchor),
                    fired_at = case when \(settles) then clock_timestamp() else c.fired_at end,
                    payload = coalesce(\(change.payload.map { PostgresJSON($0) }), c.payload),
                    missed = coalesce(\(change.missed?.rawValue), c.missed),
                    overlap = coalesce(\(change.overlap?.rawValue), c.overlap),
                    revision = c.revision + 1, changed_at = clock_timestamp()
                from target t
                """)
    }

    package func remove(
        _ name: ScheduleName, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Schedule> {
        try await self.changed(
            name, ifRevision: revision, by: "delete from flotilla.schedule c using target t")
    }

    private func changed(
        _ name: ScheduleName, ifRevision revision: Int64?, by order: PostgresStatement
    ) async throws(StoreError) -> ChangeAnswer<Schedule> {
        try await self.changed(
            name.description, in: "flotilla.schedule", as: "s", ifRevision: revision, by: order,
            also: ", \(Self.heard(ifAny: "s"))",
            columns: ScheduleRow.columns
        ) { (row) throws(StoreError) in try ScheduleRow.schedule(row, from: 2) }
    }

    /// Lets every node hear of it with its next heartbeat.
    ///
    /// The version makes nothing void that anybody remembers.
    private static func heard(ifAny source: String) -> PostgresStatement {
        """
        voided as materialized (
            select '{}'::text[] as kinds, '{}'::text[] as subjects
        ), \(Fragments.nextConfiguration(ifAny: source)), \(Fragments.noteConfiguration)
        """
    }

    private static func check(
        every: Int64?, anchor: DatabaseTime?, payload: String?
    ) throws(StoreError) {
        let fault: String? =
            if let every, !ScheduleRhythm.periods.contains(every) {
                "every \(every) s; 10 s to 366 days are allowed"
            } else if let anchor, !ScheduleRhythm.anchors.contains(anchor.microseconds) {
                "the anchor \(anchor); 1970 to 9999 are allowed"
            } else if let payload, payload.utf8.count > Schedule.payloadLimit {
                "a payload of \(payload.utf8.count) bytes; \(Schedule.payloadLimit) are the most"
            } else {
                nil
            }
        if let fault { throw .refused(sqlState: "22023", message: "schedule: \(fault)") }
    }
}
