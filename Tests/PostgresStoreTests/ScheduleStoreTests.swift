import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

@Suite struct ScheduleStoreTests {
    @Test func `events are forgotten after thirty days unless somebody says otherwise`() async throws {
        try await withTestDatabase { db in
            let found = try #require(try await db.store.schedules(ScheduleQuery()).first)
            #expect(found.name.description == "retention" && found.kind.description == "retention")
            #expect(found.enabled && found.payload == #"{"event_days": 30}"# && found.overlap == .skip)
            #expect(found.rhythm.dailyAt == "03:20" && found.jobs == 0)
            #expect(try #require(found.nextAt) > found.readAt)
            #expect(
                try await db.number("select shard from flotilla.schedule") == Int(found.id.shard.rawValue))
        }
    }

    @Test func `a schedule is created, found, listed, changed and removed`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            _ = try await db.account("alice")
            let made = try await db.schedule("b", every: 60, missed: .none, overlap: .skip, account: "alice")
            #expect(made.revision == 1 && made.enabled && made.account?.description == "alice")
            #expect(made.missed == .none && made.overlap == .skip && made.payload == #"{"n": 1}"#)
            #expect(made.firedAt <= made.readAt && made.ahead == nil)
            // The first one is a period after the creation.
            #expect(made.rhythm.anchor.microseconds % 1_000_000 == 0)
            #expect(made.nextAt == made.rhythm.moved(made.rhythm.anchor, by: 1))
            let found = try #require(try await db.store.schedule(named: made.name))
            #expect(found.rhythm == made.rhythm && found.id == made.id && found.firedAt == made.firedAt)
            try await db.schedule("a")
            try await db.schedule("c", enabled: false)
            var query = ScheduleQuery()
            query.limit = 2
            #expect(try await db.store.schedules(query).map(\.name.description) == ["a", "b"])
            query.after = made.name
            #expect(try await db.store.schedules(query).map(\.name.description) == ["c"])
            query = ScheduleQuery()
            query.account = made.account
            #expect(try await db.store.schedules(query).map(\.name.description) == ["b"])
            query = ScheduleQuery()
            query.enabled = false
            #expect(try await db.store.schedules(query).map(\.name.description) == ["c"])
            query.kind = JobKind("other")
            query.enabled = nil
            #expect(try await db.store.schedules(query) == [])

            var change = ScheduleChange()
            change.payload = "[1, 2]"
            change.missed = .all
            let answer = try await db.store.change(made.name, change, ifRevision: 1)
            guard case .changed(let changed) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(changed.revision == 2 && changed.payload == "[1, 2]" && changed.missed == .all)
            #expect(
                changed.firedAt == made.firedAt && changed.overlap == .skip && changed.rhythm == made.rhythm)
            guard case .conflict(2) = try await db.store.change(made.name, change, ifRevision: 1),
                case .conflict(2) = try await db.store.remove(made.name, ifRevision: 1),
                case .changed = try await db.store.remove(made.name, ifRevision: 2),
                case .unknown = try await db.store.remove(made.name, ifRevision: nil)
            else {
                Issue.record("a change does not ask for the revision")
                return
            }
        }
    }

    @Test func `an account that a schedule or a webhook names cannot be taken out of the database`()
        async throws
    {
        try await withTestDatabase { db in
            for name in ["scheduled", "told"] {
                let account = try await db.account(name)
                // Only what is asked about keeps it.
                try await db.sql("delete from flotilla.home where account_id = \(account.id.rawValue)")
                if name == "told" {
                    try await db.sql(
                        """
                        insert into flotilla.webhook (id, name, enabled, account_id, events, url, secret)
                        values (gen_random_uuid(), 'w', true, \(account.id.rawValue), '{file.published}', 'http://a/', 'x')
                        """)
                } else {
                    try await db.schedule("s", account: name)
                }
                await #expect(throws: (any Error).self) {
                    try await db.sql("delete from flotilla.account where id = \(account.id.rawValue)")
                }
                try await db.sql("delete from flotilla.webhook")
                try await db.withoutSchedules()
                try await db.sql("delete from flotilla.account where id = \(account.id.rawValue)")
            }
        }
    }

    @Test func `new times, and enabling, owe nothing of what was before`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let schedule = try await db.schedule("a", missed: .all)
            try await db.age(schedule, seconds: 100_000)
            #expect(try await db.turns().count == 1)
            for change in [
                ScheduleChange.with { $0.every = 60 },
                ScheduleChange.with { $0.anchor = DatabaseTime(microseconds: 0) },
                ScheduleChange.with { $0.enabled = true },
            ] {
                try await db.sql("update flotilla.schedule set fired_at = fired_at - interval '2 days'")
                #expect(try await db.turns().count == 1)
                guard
                    case .changed(let changed) = try await db.store.change(
                        schedule.name, change, ifRevision: nil)
                else {
                    Issue.record("not changed")
                    return
                }
                #expect(try #require(changed.nextAt) > changed.readAt)
                #expect(try await db.turns() == [])
            }
        }
    }

    @Test func `names are taken once, accounts must exist, and every change raises the version`() async throws
    {
        try await withTestDatabase { db in
            let before = try await db.store.facts().configVersion
            try await db.schedule("a")
            let after = try await db.store.facts().configVersion
            #expect(after > before)
            #expect(try await db.store.changes(after: before, limit: 10)?.map(\.names) == [[]])
            var new = NewSchedule(
                name: try #require(ScheduleName("a")), every: 60, kind: try #require(JobKind("noop")))
            #expect(try await db.store.create(new) == .taken)
            new.name = try #require(ScheduleName("b"))
            new.account = AccountName("nobody")
            #expect(try await db.store.create(new) == .unknownAccount)
            #expect(try await db.store.facts().configVersion == after)
            new.account = nil
            new.every = 5
            let refused = new
            await #expect(throws: StoreError.self) { try await db.store.create(refused) }
            _ = try await db.store.change(
                #require(ScheduleName("a")), .with { $0.enabled = false }, ifRevision: 1)
            _ = try await db.store.remove(#require(ScheduleName("a")), ifRevision: 2)
            #expect(try await db.store.facts().configVersion.rawValue == after.rawValue + 2)
            new.every = 60
            try await db.sql(
                """
                insert into flotilla.schedule (id, name, enabled, every_s, anchor, fired_at, kind, payload, shard)
                select gen_random_uuid(), 'n' || n, false, 60, now(), now(), 'noop', '{}', 0
                from generate_series(1, \(ScheduleLimits.most)) n
                """)
            #expect(try await db.store.create(new) == .tooMany)
        }
    }
}

extension ScheduleChange {
    static func with(_ body: (inout ScheduleChange) -> Void) -> ScheduleChange {
        var change = ScheduleChange()
        body(&change)
        return change
    }
}
