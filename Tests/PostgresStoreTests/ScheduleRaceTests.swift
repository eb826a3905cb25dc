import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// Two at a schedule in the same moment, on a real database; the naive twins show what goes wrong without
/// the guards.
@Suite struct ScheduleRaceTests {
    private static func row(_ schedule: Schedule) -> PostgresStatement {
        "select from flotilla.schedule where id = \(schedule.id.rawValue) for update"
    }

    /// The same firing by the same owner twice: a round that was late, and the next one.
    @Test func `of two who fire at the same moment one does`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("hourly")
            try await db.age(schedule, seconds: 3_600)
            let turns = try await db.turns()
            let fired = try await db.raced(
                Self.row(schedule), { try await db.store.fire(turns, owning: titles, by: node.right) },
                {
                    try await db.withOtherNode { try await $0.fire(turns, owning: titles, by: node.right) }
                })
            #expect(fired.map(\.jobs.count).sorted() == [0, 1])
            #expect(fired.allSatisfy { $0.owned.count == ShardNumber.count })
            #expect(try await db.jobs() == 1)
            try await db.expectNoFaults()
        }
    }

    @Test func `without the compare-and-set the same race fires twice`() async throws {
        try await withTestDatabase { db in
            try await db.sql("create schema naive")
            try await db.sql("create table naive.schedule (id int primary key, fired_at int not null)")
            try await db.sql("create table naive.job (due int not null)")
            try await db.sql("insert into naive.schedule values (1, 0)")
            // What is due was read before; the row is only moved on.
            let fire: PostgresStatement = """
                with moved as (update naive.schedule set fired_at = 10 where id = 1 returning fired_at)
                insert into naive.job select fired_at from moved
                """
            _ = try await db.raced(
                "select from naive.schedule for update", { try await db.sql(fire).affectedRows },
                { try await db.sql(fire).affectedRows })
            #expect(try await db.number("select count(*) from naive.job") == 2)
        }
    }

    @Test func `a new owner waits for the old one's firing, and does not fire it again`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (old, new) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let leader = try await db.lead(new)
            try await db.assign(nil, to: old, by: leader)
            let titles = try await db.take(old)
            let schedule = try await db.schedule("hourly")
            try await db.age(schedule, seconds: 3_600)
            let turns = try await db.turns()
            try await db.assign(old, to: new, by: leader)
            let answers: [(fired: [ScheduleID: Int], titles: [ShardTitle])] = try await db.raced(
                Self.row(schedule),
                { (try await db.store.fire(turns, owning: titles, by: old.right).jobs, []) },
                {
                    // It gives the shards up, and so waits until its own firing is through.
                    ([:], try await db.withOtherNode { try await $0.release(titles, by: old.right) })
                })
            #expect(answers[0].fired == [schedule.id: 1] && answers[1].titles.count == ShardNumber.count)
            let taken = try await db.take(new, after: titles)
            #expect(taken.count == ShardNumber.count)
            let late = try await db.store.fire(turns, owning: taken, by: new.right)
            #expect(late.jobs == [:] && late.owned.count == ShardNumber.count)
            // The old one, which has not noticed.
            try await db.age(schedule, seconds: 3_601)
            let next = try await db.turns()
            let lost = try await db.store.fire(next, owning: titles, by: old.right)
            #expect(lost.jobs == [:] && lost.owned == [])
            #expect(try await db.store.fire(next, owning: titles, by: new.right).jobs == [:])
            #expect(try await db.store.fire(next, owning: taken, by: new.right).jobs == [schedule.id: 1])
            #expect(try await db.jobs() == 2)
        }
    }

    @Test func `an owner that was evicted fires nothing`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (old, new) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let leader = try await db.lead(new)
            try await db.assign(nil, to: old, by: leader)
            let titles = try await db.take(old)
            let schedule = try await db.schedule("hourly")
            try await db.age(schedule, seconds: 3_600)
            let turns = try await db.turns()
            try await db.bury(old, by: new)
            // Its shards are still in its name: it is the live incarnation that is missing.
            let late = try await db.store.fire(turns, owning: titles, by: old.right)
            #expect(late.jobs == [:] && late.owned == [])
            try await db.assign(old, to: new, by: leader)
            let taken = try await db.take(new, after: titles)
            #expect(try await db.store.fire(turns, owning: taken, by: new.right).jobs == [schedule.id: 1])
            #expect(try await db.store.fire(turns, owning: titles, by: old.right).jobs == [:])
            #expect(try await db.jobs() == 1)
        }
    }

    @Test(arguments: [
        "delete from flotilla.schedule", "update flotilla.schedule set enabled = false",
        "update flotilla.schedule set revision = revision + 1, payload = '2'",
    ])
    func `a schedule that is changed in the same moment is not fired as it was`(change: String) async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            let schedule = try await db.schedule("hourly")
            try await db.age(schedule, seconds: 3_600)
            let turns = try await db.turns()
            let fired = try await db.raced(
                Self.row(schedule), { try await db.store.fire(turns, owning: titles, by: node.right) },
                {
                    try await db.withOtherNode { try await $0.fire(turns, owning: titles, by: node.right) }
                }, holding: PostgresStatement(unescaped: change))
            #expect(fired.allSatisfy { $0.jobs == [:] && $0.owned.count == ShardNumber.count })
            #expect(try await db.jobs() == 0)
        }
    }

    @Test func `a batch keeps what stands and leaves out what does not`() async throws {
        try await withTestDatabase { db in
            try await db.withoutSchedules()
            let (node, titles) = try await db.owner()
            for number in 0..<40 {
                try await db.age(try await db.schedule("s\(number)"), seconds: 3_600)
            }
            let turns = try await db.turns()
            #expect(turns.count == 40)
            let gone = turns[7].schedule.id
            try await db.sql("delete from flotilla.schedule where id = \(gone.rawValue)")
            let lost = turns[9].schedule.id.shard
            let kept = titles.filter { $0.number != lost }
            let fired = try await db.store.fire(turns, owning: kept, by: node.right)
            let expected = Set(turns.map(\.schedule.id).filter { $0 != gone && $0.shard != lost })
            #expect(Set(fired.jobs.keys) == expected && fired.owned == Set(kept.map(\.number)))
            #expect(try await db.jobs() == expected.count)
            await #expect(throws: StoreError.self) {
                try await db.store.fire([turns[0], turns[0]], owning: titles, by: node.right)
            }
        }
    }
}
