import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct ScheduleFiringTests {
    @Test func `a firing is one job, with its origin, and the schedule moves on`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("report")
            #expect(try await db.turns() == [])
            try await db.age(schedule, seconds: 3_600)
            let turns = try await db.turns()
            let turn = try #require(turns.first)
            #expect(turns.count == 1 && turn.firings.count == 1 && turn.skipped == 0)
            let fired = try await db.store.fire(turns, owning: titles, by: node.right)
            #expect(fired.jobs == [schedule.id: 1] && fired.owned == Set(ShardNumber.all))
            // The same again, as if the answer had been lost.
            let again = try await db.store.fire(turns, owning: titles, by: node.right)
            #expect(again.jobs == [:] && again.owned == Set(ShardNumber.all))
            #expect(try await db.turns() == [])
            let job = try await db.one(by: node)
            #expect(job.kind.description == "noop" && job.account == nil)
            let now = try #require(try await db.store.schedule(named: schedule.name))
            #expect(now.firedAt == turn.firedAt && now.lastJob == job.title.job && now.jobs == 1)
            #expect(now.skipped == 0 && now.revision == schedule.revision)
            let record = try #require(try await db.store.job(job.title.job)?.record)
            #expect(
                record.spec.submitter == "schedule:report"
                    && record.spec.orderKey == "schedule/\(schedule.id)")
            var firings = try await db.store.firings(of: schedule.id, named: schedule.name, limit: 20)
            #expect(firings.map(\.due) == ["\(turn.firedAt)"] && firings.first?.outcome == nil)
            #expect(try await db.finish(job, by: node) == .accepted)
            firings = try await db.store.firings(of: schedule.id, named: schedule.name, limit: 20)
            #expect(firings.map(\.outcome) == [.done] && firings.map(\.job) == [job.title.job])
            try await db.expectNoFaults()
        }
    }

    @Test func `what was missed in hours is made up for as the schedule says`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            for missed in ScheduleMissed.allCases {
                // A daily one, so that `none` finds nothing that is just on time.
                let schedule = try await db.schedule(missed.rawValue, every: 86_400, missed: missed)
                try await db.sql(
                    """
                    update flotilla.schedule set fired_at = fired_at - interval '3 days 1 hour',
                        anchor = anchor - interval '3 days 1 hour' where id = \(schedule.id.rawValue)
                    """)
            }
            let fired = try await db.store.fire(try await db.turns(), owning: titles, by: node.right)
            #expect(fired.jobs.values.sorted() == [0, 1, 3])
            #expect(try await db.jobs() == 4)
            for (name, jobs, skipped) in [("once", 1, 2), ("all", 3, 0), ("none", 0, 3)]
                as [(String, Int64, Int64)]
            {
                let known = try #require(ScheduleName(name))
                let schedule = try #require(try await db.store.schedule(named: known))
                #expect(schedule.jobs == jobs && schedule.skipped == skipped, "\(name)")
                #expect(schedule.nextAt.map { $0 > schedule.readAt } == true)
            }
            #expect(try await db.turns() == [])
            try await db.expectNoFaults()
        }
    }

    @Test func `a clock that is set back fires nothing twice, one that is set forward makes missed firings`()
        async throws
    {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("hourly", missed: .all)
            // The clock is three hours on, as the schedule sees it.
            try await db.age(schedule, seconds: 3 * 3_600)
            let turns = try await db.turns()
            #expect(try await db.store.fire(turns, owning: titles, by: node.right).jobs == [schedule.id: 3])
            // It is set back: what was fired lies in the future.
            try await db.age(schedule, seconds: -3 * 3_600)
            #expect(try await db.turns() == [])
            let ahead = try #require(try await db.store.schedule(named: schedule.name))
            #expect(try #require(ahead.ahead) > .seconds(3 * 3_600 - 60))
            // Who does not want to wait enables it again; a firing that had its job has no second one.
            var change = ScheduleChange()
            change.enabled = true
            _ = try await db.store.change(schedule.name, change, ifRevision: nil)
            let healed = try #require(try await db.store.schedule(named: schedule.name))
            #expect(healed.ahead == nil && healed.revision == 2)
            #expect(try await db.jobs() == 3)
        }
    }

    @Test func `a firing has one job for ever, whatever its schedule's row says`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("hourly", missed: .all)
            try await db.age(schedule, seconds: 2 * 3_600)
            _ = try await db.store.fire(try await db.turns(), owning: titles, by: node.right)
            try await db.sql("update flotilla.schedule set fired_at = fired_at - interval '2 hours'")
            let turns = try await db.turns()
            #expect(turns.map(\.firings.count) == [2])
            #expect(try await db.store.fire(turns, owning: titles, by: node.right).jobs == [schedule.id: 0])
            let now = try #require(try await db.store.schedule(named: schedule.name))
            #expect(now.jobs == 2 && now.skipped == 2)
            #expect(try await db.jobs() == 2)
            try await db.expectNoFaults()
        }
    }

    @Test func `jobs of one schedule never overlap; with skip they do not queue up either`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            func fire(_ schedule: Schedule) async throws -> Int? {
                // Not by a whole period: each firing is another one.
                try await db.age(schedule, seconds: 3_601)
                return try await db.store.fire(try await db.turns(), owning: titles, by: node.right).jobs[
                    schedule.id]
            }
            let wait = try await db.schedule("wait")
            #expect(try await fire(wait) == 1)
            #expect(try await fire(wait) == 1)
            let first = try await db.one(by: node)
            #expect(try await db.claim(by: node).isEmpty)
            try await db.finish(first, by: node)
            _ = try await db.store.stage(limit: 500, by: node.right)
            try await db.finish(try await db.one(by: node), by: node)

            let skip = try await db.schedule("skip", overlap: .skip)
            #expect(try await fire(skip) == 1)
            #expect(try await fire(skip) == 0)
            let job = try await db.one(by: node)
            #expect(try await fire(skip) == 0)
            try await db.finish(job, .failed(reason: "no"), by: node)
            #expect(try await fire(skip) == 1)
            let now = try #require(try await db.store.schedule(named: skip.name))
            #expect(now.jobs == 2 && now.skipped == 2)
            try await db.expectNoFaults()
        }
    }

    @Test func `no schedule has more than a thousand jobs that have not ended`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("often", every: 10, missed: .all)
            try await db.age(schedule, seconds: 10 * 3_000)
            let turns = try await db.turns()
            #expect(turns.map(\.firings.count) == [1_000])
            #expect(
                try await db.store.fire(turns, owning: titles, by: node.right).jobs == [schedule.id: 1_000])
            try await db.age(schedule, seconds: 11)
            #expect(
                try await db.store.fire(try await db.turns(), owning: titles, by: node.right).jobs == [
                    schedule.id: 0
                ])
            #expect(try await db.jobs() == 1_000)
            try await db.expectNoFaults()
        }
    }

    @Test func `nothing fires for an account that is disabled, also when it is in the same moment`()
        async throws
    {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let alice = try await db.account("alice")
            let schedule = try await db.schedule("hers", account: "alice")
            try await db.age(schedule, seconds: 7_200)
            let turns = try await db.turns()
            #expect(turns.map(\.schedule.account) == [alice.id])
            var change = AccountChange()
            change.enabled = false
            _ = try await db.store.change(alice.name, change, ifRevision: nil)
            #expect(try await db.turns() == [])
            #expect(try await db.store.fire(turns, owning: titles, by: node.right).jobs == [:])
            let shown = try #require(try await db.store.schedule(named: schedule.name))
            #expect(!shown.accountEnabled && shown.nextAt == nil && shown.enabled)
            change.enabled = true
            _ = try await db.store.change(alice.name, change, ifRevision: nil)
            #expect(
                try await db.store.fire(try await db.turns(), owning: titles, by: node.right).jobs == [
                    schedule.id: 1
                ])
            // Whoever deletes accounts has to think of what they own.
            await #expect(throws: PostgresError.self) { try await db.sql("delete from flotilla.account") }
        }
    }

    @Test func `pages go on where the last one ended, and tell when the others fire`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            for number in 0..<5 {
                try await db.age(try await db.schedule("s\(number)"), seconds: 3_600 + 10 * Int64(number))
            }
            let later = try await db.schedule("later", every: 86_400)
            try await db.schedule("off", enabled: false)
            var seen: [String] = []
            var place: DueCursor?
            repeat {
                let page = try await db.store.due(in: ShardNumber.all, after: place, limit: 2)
                #expect(page.next == later.nextAt)
                seen += page.schedules.map(\.name.description)
                place = page.more
            } while place != nil
            #expect(seen == ["s4", "s3", "s2", "s1", "s0"])
            let none = try await db.store.due(in: [], after: nil, limit: 2)
            #expect(none.schedules == [] && none.next == nil && none.more == nil)
            // What a later program may write holds nothing else up.
            try await db.sql("update flotilla.schedule set kind = 'Not for me' where name = 's4'")
            let page = try await db.store.due(in: ShardNumber.all, after: nil, limit: 1)
            #expect(page.schedules == [] && page.unreadable.count == 1)
            let next = try await db.store.due(in: ShardNumber.all, after: page.more, limit: 1)
            #expect(next.schedules.map(\.name.description) == ["s3"])
        }
    }

    @Test func `jobs find a partition when the leader made none for long`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("hourly")
            try await db.age(schedule, seconds: 3_600)
            try await db.sql("select setval('flotilla.job_number', 50000000)")
            #expect(
                try await db.store.fire(try await db.turns(), owning: titles, by: node.right).jobs == [
                    schedule.id: 1
                ])
        }
    }

    @Test func `the database counts firings as the rules do`() async throws {
        try await withTestDatabase { db in
            var random = SystemRandomNumberGenerator()
            for _ in 0..<300 {
                let every = Int64.random(in: ScheduleRhythm.periods, using: &random)
                let anchor = DatabaseTime(
                    microseconds: Int64.random(in: 0...4_000_000_000, using: &random) * 1_000_000)
                let rhythm = try #require(ScheduleRhythm(every: every, anchor: anchor))
                var time = DatabaseTime(microseconds: .random(in: 0...4_000_000_000_000_000, using: &random))
                if Bool.random(using: &random) { time = rhythm.last(upTo: time) }
                let next = try await db.sql(
                    """
                    select (extract(epoch from flotilla.next_firing(
                        timestamptz 'epoch' + \(anchor.microseconds)::int8 * interval '1 microsecond', \(every)::int8,
                        timestamptz 'epoch' + \(time.microseconds)::int8 * interval '1 microsecond')) * 1000000)::int8
                    """
                ).exactlyOne()[0, as: Int64.self]
                #expect(next == rhythm.next(after: time).microseconds, "\(rhythm) \(time.microseconds)")
            }
        }
    }
}
