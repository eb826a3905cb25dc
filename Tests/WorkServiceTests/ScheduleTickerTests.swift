import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import Testing
import WorkService

@Suite struct ScheduleTickerTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func ticker(
        _ store: any ScheduleFiringStore, _ standing: any NodeStanding, page: Int = 250
    ) -> ScheduleTicker {
        var settings = ScheduleTicker.Settings()
        settings.page = page
        settings.gathering = .zero
        return ScheduleTicker(store: store, standing: standing, settings: settings, logger: Self.logger)
    }

    @Test func `a round fires what is due and rests until the next`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            let desk = TestShardDesk()
            let ticker = Self.ticker(db.store, FixedStanding(owner.right))
            #expect(
                await ticker.round(owner.titles, by: owner.right, desk)
                    == StandingRound(done: [:], rest: .seconds(60)))
            let soon = try await db.schedule("soon", every: 40)
            let round = await ticker.round(owner.titles, by: owner.right, desk)
            #expect(round.done == [:] && round.rest > .seconds(20) && round.rest <= .seconds(40))
            try await db.age(soon, seconds: 40)
            let fired = await ticker.round(owner.titles, by: owner.right, desk)
            #expect(fired.done == [soon.id.shard: 1] && fired.rest <= .seconds(40) && fired.rest > .zero)
            #expect(try await db.count("flotilla.job") == 1 && desk.lost.isEmpty)
            #expect(await ticker.round(owner.titles, by: owner.right, desk).done == [:])
        }
    }

    @Test func `a thousand that are due at once are fired in one round, by a few statements`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            try await db.sql(
                """
                insert into flotilla.schedule (id, name, enabled, every_s, anchor, fired_at, kind, payload, shard)
                select i.id, 's' || i.n, true, 86400, now() - interval '1 hour', now() - interval '2 hours', 'noop',
                       '{}', get_byte(uuid_send(i.id), 0)
                from (select n, gen_random_uuid() as id from generate_series(1, 1000) n) i
                """)
            let counting = CountingStore(db.store)
            let ticker = Self.ticker(counting, FixedStanding(owner.right))
            let clock = ContinuousClock()
            let began = clock.now
            let round = await ticker.round(owner.titles, by: owner.right, TestShardDesk())
            print("a thousand schedules fired in \(clock.now - began) by \(counting.calls) statements")
            #expect(round.done.values.reduce(0, +) == 1_000 && round.rest == .seconds(60))
            #expect(counting.calls <= 10)
            #expect(try await db.count("flotilla.job") == 1_000)
            #expect(try await JobPlaces.faults(db.pool) == [])
            #expect(await ticker.round(owner.titles, by: owner.right, TestShardDesk()).done == [:])
        }
    }

    @Test func `an answer that is lost fires nothing twice`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            let schedule = try await db.schedule("a", every: 3_600)
            try await db.age(schedule, seconds: 3_600)
            let losing = CountingStore(db.store, losesAnswers: true)
            let ticker = Self.ticker(losing, FixedStanding(owner.right))
            let round = await ticker.round(owner.titles, by: owner.right, TestShardDesk())
            #expect(round.rest == .seconds(2))
            let calm = await ticker.round(owner.titles, by: owner.right, TestShardDesk())
            #expect(calm.done == [:] && calm.rest == .seconds(60))
            #expect(try await db.count("flotilla.job") == 1)
        }
    }

    @Test func `shards that are lost are told and left to others`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            for number in 0..<30 {
                try await db.age(try await db.schedule("s\(number)", every: 3_600), seconds: 3_600)
            }
            try await db.sql("update flotilla.shard set epoch = epoch + 1 where number < 128")
            let desk = TestShardDesk()
            let ticker = Self.ticker(db.store, FixedStanding(owner.right))
            let round = await ticker.round(owner.titles, by: owner.right, desk)
            #expect(round.done.keys.allSatisfy { $0.rawValue >= 128 })
            #expect(desk.lost.allSatisfy { $0.number.rawValue < 128 } && !desk.lost.isEmpty)
            let due = try await db.store.due(in: ShardNumber.all, after: nil, limit: 100)
            #expect(due.schedules.allSatisfy { $0.id.shard.rawValue < 128 })
            #expect(try await db.count("flotilla.job") == 30 - due.schedules.count)
            // Those that the desk says are gone are not even asked for.
            let counting = CountingStore(db.store)
            let gone = TestShardDesk(holds: false)
            let idle = await Self.ticker(counting, FixedStanding(owner.right)).round(
                owner.titles, by: owner.right, gone)
            #expect(idle == StandingRound(rest: .seconds(60)) && counting.calls == 0)
        }
    }

    @Test func `one that the database refuses does not hold the others up`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            for number in 0..<20 {
                try await db.age(try await db.schedule("s\(number)", every: 3_600), seconds: 3_600)
            }
            try await db.sql("update flotilla.schedule set payload = '\"bad\"' where name = 's7'")
            try await db.sql("alter table flotilla.job add constraint good check (payload <> '\"bad\"')")
            let ticker = Self.ticker(db.store, FixedStanding(owner.right), page: 6)
            let round = await ticker.round(owner.titles, by: owner.right, TestShardDesk())
            #expect(round.done.values.reduce(0, +) == 19 && round.rest <= .seconds(2))
            #expect(try await db.count("flotilla.job") == 19)
        }
    }

    @Test func `a database that does not answer is asked again after a while`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            let ticker = Self.ticker(NoStore(), FixedStanding(owner.right))
            let round = await ticker.round(owner.titles, by: owner.right, TestShardDesk())
            #expect(round == StandingRound(rest: .seconds(2)))
        }
    }

    @Test func `a new configuration version calls for a round, other news do not`() async throws {
        try await withTestDatabase { db in
            let owner = try await db.owner()
            let standing = FixedStanding(owner.right, at: ConfigVersion(1))
            let ticker = Self.ticker(db.store, standing)
            let calls = CallCount()
            try await withThrowingTaskGroup(of: Void.self) { group in
                let stream = ticker.calls()
                group.addTask { for await _ in stream { calls.add() } }
                standing.set(.serving(owner.right, ConfigVersion(2)))
                try await eventually("the first call") { calls.count == 1 }
                standing.set(jobNews: 7)
                standing.set(sweepDue: true)
                standing.set(.serving(owner.right, ConfigVersion(3)))
                try await eventually("the second call") { calls.count == 2 }
                group.cancelAll()
            }
            #expect(calls.count == 2)
        }
    }
}
