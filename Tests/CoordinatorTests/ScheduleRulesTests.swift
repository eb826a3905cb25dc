import ClusterModel
import Testing

import struct Foundation.UUID

@Suite struct ScheduleRulesTests {
    private static func at(_ seconds: Int64) -> DatabaseTime {
        DatabaseTime(microseconds: seconds * 1_000_000)
    }

    private static func due(
        every: Int64 = 60, anchor: Int64 = 7, missed: ScheduleMissed,
        overlap: ScheduleOverlap = .wait, firedAt: DatabaseTime
    ) throws -> DueSchedule {
        DueSchedule(
            id: ScheduleID(UUID()), name: try #require(ScheduleName("a")), revision: 1,
            rhythm: try #require(ScheduleRhythm(every: every, anchor: Self.at(anchor))), missed: missed,
            overlap: overlap, kind: try #require(JobKind("noop")), account: nil, payload: "{}",
            firedAt: firedAt)
    }

    @Test func `firings are at the anchor and whole periods before and after it`() throws {
        let rhythm = try #require(ScheduleRhythm(every: 60, anchor: Self.at(1_007)))
        #expect(rhythm.last(upTo: Self.at(1_007)) == Self.at(1_007))
        #expect(rhythm.next(after: Self.at(1_007)) == Self.at(1_067))
        #expect(rhythm.last(upTo: Self.at(1_006)) == Self.at(947))
        #expect(rhythm.next(after: Self.at(0)) == Self.at(47))
        #expect(rhythm.last(upTo: Self.at(0)) == Self.at(-13))
        #expect(rhythm.next(after: DatabaseTime(microseconds: 1_006_999_999)) == Self.at(1_007))
        #expect(rhythm.count(after: Self.at(1_007), upTo: Self.at(1_187)) == 3)
        #expect(rhythm.count(after: Self.at(1_187), upTo: Self.at(1_007)) == 0)
        #expect(ScheduleRhythm(every: 9, anchor: Self.at(0)) == nil)
        #expect(ScheduleRhythm(every: 31_622_401, anchor: Self.at(0)) == nil)
        #expect(ScheduleRhythm(every: 10, anchor: Self.at(-1)) == nil)
    }

    @Test func `a time of day is every day in UTC`() throws {
        let two = try #require(ScheduleRhythm.daily(at: "02:00"))
        #expect(two.next(after: Self.at(1_795_305_600)).description == "2026-11-22T02:00:00Z")
        #expect(two.dailyAt == "02:00")
        #expect(ScheduleRhythm.daily(at: "23:59:58")?.dailyAt == "23:59:58")
        #expect(ScheduleRhythm(every: 86_400, anchor: Self.at(86_400 * 9 + 3_600))?.dailyAt == "01:00")
        #expect(ScheduleRhythm(every: 3_600, anchor: Self.at(0))?.dailyAt == nil)
        for text in ["24:00", "2:00", "02:60", "02:00:60", "", "02:00 ", "0200"] {
            #expect(ScheduleRhythm.daily(at: text) == nil, "\(text)")
        }
    }

    @Test func `nothing is due before its time, nor a second time`() throws {
        for missed in ScheduleMissed.allCases {
            let schedule = try Self.due(missed: missed, firedAt: Self.at(607))
            #expect(ScheduleRules.turn(of: schedule, at: Self.at(607)) == nil)
            #expect(ScheduleRules.turn(of: schedule, at: Self.at(666)) == nil)
            // The clock was set back.
            #expect(ScheduleRules.turn(of: schedule, at: Self.at(-5_000)) == nil)
            let turn = try #require(ScheduleRules.turn(of: schedule, at: Self.at(667)))
            #expect(turn.firings == [Self.at(667)] && turn.firedAt == Self.at(667) && turn.skipped == 0)
        }
    }

    @Test func `missed firings are made up for by one, by each, or not at all`() throws {
        let now = Self.at(607 + 10 * 60 + 59)
        let once = try #require(
            ScheduleRules.turn(of: try Self.due(missed: .once, firedAt: Self.at(607)), at: now))
        #expect(once.firings == [Self.at(1_207)] && once.firedAt == Self.at(1_207) && once.skipped == 9)
        let all = try #require(
            ScheduleRules.turn(of: try Self.due(missed: .all, firedAt: Self.at(607)), at: now))
        #expect(all.firings == (1...10).map { Self.at(607 + $0 * 60) } && all.skipped == 0)
        #expect(all.firedAt == Self.at(1_207))
        // The newest is less than a minute late: it was not missed.
        let none = try #require(
            ScheduleRules.turn(of: try Self.due(missed: .none, firedAt: Self.at(607)), at: now))
        #expect(none.firings == [Self.at(1_207)] && none.skipped == 9)
        let daily = try Self.due(every: 86_400, missed: .none, firedAt: Self.at(7))
        let late = try #require(ScheduleRules.turn(of: daily, at: Self.at(86_400 + 7 + 61)))
        #expect(late.firings == [] && late.firedAt == Self.at(86_407) && late.skipped == 1)
        let onTime = try #require(ScheduleRules.turn(of: daily, at: Self.at(86_400 + 7 + 60)))
        #expect(onTime.firings == [Self.at(86_407)] && onTime.skipped == 0)
    }

    @Test func `of more than a thousand missed firings the newest are made up for`() throws {
        let schedule = try Self.due(every: 10, anchor: 0, missed: .all, firedAt: Self.at(0))
        let turn = try #require(ScheduleRules.turn(of: schedule, at: Self.at(25_003)))
        #expect(turn.firings.count == 1_000 && turn.skipped == 1_500)
        #expect(turn.firings.first == Self.at(15_010) && turn.firings.last == Self.at(25_000))
        #expect(turn.firedAt == Self.at(25_000))
    }

    @Test func `what does not queue up is made up for by one job`() throws {
        let schedule = try Self.due(
            every: 10, anchor: 0, missed: .all, overlap: .skip, firedAt: Self.at(0))
        let turn = try #require(ScheduleRules.turn(of: schedule, at: Self.at(25_003)))
        #expect(turn.firings == [Self.at(25_000)] && turn.skipped == 2_499)
    }

    @Test func `each firing has a key of its own that sorts by time`() throws {
        let schedule = try Self.due(every: 10, anchor: 0, missed: .all, firedAt: Self.at(0))
        let turn = try #require(ScheduleRules.turn(of: schedule, at: Self.at(1_000)))
        let keys = turn.jobs.compactMap(\.idempotencyKey)
        #expect(keys.count == 100 && Set(keys).count == 100 && keys.sorted() == keys)
        #expect(keys[0] == "schedule/\(schedule.id)/1970-01-01T00:00:10Z")
        #expect(
            turn.jobs.allSatisfy { $0.orderKey == "schedule/\(schedule.id)" && $0.submitter == "schedule:a" })
    }

    @Test func `batches keep to their bound and lose nothing`() throws {
        var turns: [ScheduleTurn] = []
        for count in [1, 1_000, 400, 600, 0, 1, 999, 500, 501] {
            turns.append(
                ScheduleTurn(
                    schedule: try Self.due(missed: .all, firedAt: Self.at(0)),
                    firings: (0..<count).map { Self.at(Int64($0)) }, firedAt: Self.at(1), skipped: 0))
        }
        let batches = ScheduleRules.batches(turns)
        #expect(batches.flatMap { $0 } == turns)
        #expect(batches.map { $0.reduce(0) { $0 + $1.firings.count } } == [1, 1_000, 1_000, 1_000, 500, 501])
        #expect(ScheduleRules.batches([]) == [])
    }

    @Test func `a schedule's shard is the first byte of its id`() throws {
        let id = ScheduleID(try #require(UUID(uuidString: "ff000000-0000-4000-8000-000000000000")))
        #expect(id.shard.rawValue == 255)
    }
}
