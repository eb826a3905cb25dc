import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct LeaseTests {
    @Test func `a subject has one lease and each grant a higher epoch`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            var last: Epoch?
            for _ in 0..<5 {
                let title = try await db.lease(request("a"), by: one)
                #expect(try await db.store.acquire([request("a")], by: two.right) == [.taken])
                #expect(try await db.store.acquire([request("a")], by: one.right) == [.taken])
                #expect(last.map { $0 < title.epoch } ?? true)
                #expect(title.epoch.rawValue >> Incarnation.sequenceBits == 1)
                last = title.epoch
                #expect(try await db.store.end([title], by: one.right) == [true])
                #expect(try await db.store.end([title], by: one.right) == [false])
            }
        }
    }

    @Test func `a batch is answered one by one`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            _ = try await db.lease(request("b"), by: two)
            _ = try await db.lease(request("other", order: "q"), by: two)
            let answers = try await db.store.acquire(
                [
                    request("c"), request("b"), request("a", order: "q"), request("d", order: "r"),
                    request("e", order: "r"),
                ], by: one.right)
            #expect(answers.map { $0.epoch != nil } == [true, false, false, true, false])
            #expect(answers[1] == .taken)
            #expect(answers[2] == .outOfOrder)
            #expect(answers[4] == .outOfOrder)
            let titles = try zip(["c", "b", "d"], [answers[0], answers[0], answers[3]]).map {
                LeaseTitle(subject: try subject($0), epoch: try #require($1.epoch))
            }
            #expect(try await db.store.end(titles, by: one.right) == [true, false, true])
            #expect(try await db.store.acquire([], by: one.right) == [])
            await #expect(throws: StoreError.self) {
                try await db.store.acquire([request("x"), request("x")], by: one.right)
            }
        }
    }

    @Test func `only the incarnation that was granted it ends a lease`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let title = try await db.lease(request("a"), by: one)
            #expect(try await db.store.end([title], by: two.right) == [false])
            var stranger = one.right
            stranger.slot = two.right.slot
            #expect(try await db.store.end([title], by: stranger) == [false])
            #expect(try await db.store.end([title], by: one.right) == [true])
        }
    }

    @Test func `a limit is never exceeded and never leaks`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            for round in 0..<3 {
                let answers = try await db.store.acquire(
                    (0..<10).map { try request("r\(round)-\($0)", limit: "k", slots: 4) }, by: one.right)
                #expect(answers.count { $0.epoch != nil } == 4)
                #expect(answers.count { $0 == .limited } == 6)
                let titles = try answers.enumerated().compactMap { index, answer in
                    try answer.epoch.map { LeaseTitle(subject: try subject("r\(round)-\(index)"), epoch: $0) }
                }
                #expect(try await db.store.end(titles, by: one.right) == [true, true, true, true])
            }
        }
    }

    @Test func `a slot goes to the next one when its subject was taken`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            _ = try await db.lease(request("a"), by: one)
            let answers = try await db.store.acquire(
                [request("a", limit: "k"), request("b", limit: "k"), request("c")], by: one.right)
            #expect(answers[0] == .taken)
            #expect(answers[1].epoch != nil)
            #expect(answers[2].epoch != nil)
        }
    }

    @Test func `a lowered limit is kept by count`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            var titles: [LeaseTitle] = []
            for number in 0..<6 {
                titles.append(try await db.lease(request("\(number)", limit: "k", slots: 6), by: one))
            }
            let slots = try await db.sql("select id, limit_slot from flotilla.lease order by limit_slot")
            let low = try slots.prefix(2).map { try $0[0, as: String.self] }
            let ended = titles.filter { low.contains($0.subject.id) }
            #expect(try await db.store.end(ended, by: one.right) == [true, true])
            // Four are left, in the slots 3 to 6.
            let more = try (0..<4).map { try request("n\($0)", limit: "k", slots: 5) }
            let answers = try await db.store.acquire(more, by: one.right)
            #expect(answers.count { $0.epoch != nil } == 1)
            #expect(try await db.number("select count(*) from flotilla.lease where limit_key = 'k'") == 5)
        }
    }

    @Test func `racing nodes share a limit and nobody is limited in vain`() async throws {
        try await withTestDatabase { db in
            let nodes = [
                try await JoinedNode.join(db), try await JoinedNode.join(db), try await JoinedNode.join(db),
            ]
            let answers = try await withThrowingTaskGroup(of: [LeaseAnswer].self) { group in
                for (place, node) in nodes.enumerated() {
                    for turn in 0..<4 {
                        let asked = try (0..<3).map {
                            try request("\(place)-\(turn)-\($0)", limit: "k", slots: 7)
                        }
                        group.addTask {
                            try await db.withOtherNode { try await $0.acquire(asked, by: node.right) }
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(answers.count { $0.epoch != nil } == 7)
            #expect(answers.count { $0 == .limited } == 29)
        }
    }

    @Test func `what a lease says of itself comes back`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db, named: "alpha")
            let asked = try request("x y/ü", order: "o", limit: "l", slots: 3, deadline: .seconds(90))
            let title = try await db.lease(asked, by: one)
            let plain = try await db.lease(request("plain"), by: one)
            let record = try #require(try await db.store.leases(of: [asked.subject]).first)
            #expect(record.title == title)
            #expect(record.node == one.right.name)
            #expect(record.slot == one.right.slot)
            #expect(record.incarnation == one.right.incarnation)
            #expect(record.orderKey == asked.orderKey)
            #expect(record.limit == asked.limit)
            #expect(record.deadline == .seconds(90))
            #expect(record.age < .seconds(60))
            #expect(try await db.store.deadlines(after: nil, limit: 10).map(\.title) == [title])
            #expect(try await db.store.deadlines(after: title.epoch, limit: 10) == [])
            var query = LeaseQuery()
            #expect(try await db.store.leases(query).map(\.title) == [title, plain])
            query.newestFirst = true
            query.limit = 1
            #expect(try await db.store.leases(query).map(\.title) == [plain])
            query.after = plain.epoch
            #expect(try await db.store.leases(query).map(\.title) == [title])
            query = LeaseQuery()
            query.node = NodeName("beta")
            #expect(try await db.store.leases(query) == [])
            query.node = one.right.name
            query.kind = LeaseKind("job")
            query.incarnation = one.right.incarnation
            query.youngerThan = .seconds(60)
            #expect(try await db.store.leases(query).count == 2)
            query.olderThan = .seconds(60)
            #expect(try await db.store.leases(query) == [])
        }
    }

    @Test func `the dead are swept in batches and the living never`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let kept = try await db.lease(request("kept"), by: one)
            let asked = try (0..<25).map { try request("d\($0)") }
            let answers = try await db.store.acquire(asked, by: two.right)
            #expect(answers.allSatisfy { $0.epoch != nil })
            #expect(try await db.store.sweepDead(limit: 10, by: one.right) == [])
            try await db.bury(two, by: one)
            #expect(try await db.store.acquire([request("d3")], by: one.right) == [.taken])
            #expect(try await db.store.sweepDead(limit: 10, by: two.right) == [])
            let first = try await db.store.sweepDead(limit: 10, by: one.right)
            #expect(first.count == 10)
            #expect(Set(first.map(\.title.epoch)).isSubset(of: answers.compactMap(\.epoch)))
            #expect(first.allSatisfy { $0.incarnation == two.right.incarnation && $0.node == two.right.name })
            #expect(try await db.store.sweepDead(limit: 100, by: one.right).count == 15)
            #expect(try await db.store.leases(LeaseQuery()).map(\.title) == [kept])
            let again = try await db.lease(request("d3"), by: one)
            #expect(again.epoch > (answers[3].epoch ?? again.epoch))
        }
    }

    @Test func `a departure stays open while the departed has a lease`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            _ = try await db.lease(request("a"), by: two)
            try await db.bury(two, by: one)
            #expect(try await db.store.claimDeparture(of: two.right.incarnation, by: one.right))
            try await db.store.closeDeparture(of: two.right.incarnation, by: one.right)
            #expect(try await db.store.departures(limit: 9).count == 1)
            #expect(try await db.store.sweepDead(limit: 10, by: one.right).count == 1)
            try await db.store.closeDeparture(of: two.right.incarnation, by: one.right)
            #expect(try await db.store.departures(limit: 9).isEmpty)
        }
    }

    @Test func `a holder hears what was taken from it`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let forced = try await db.lease(request("forced"), by: one)
            let overdue = try await db.lease(request("overdue", deadline: .seconds(1)), by: one)
            let kept = try await db.lease(request("kept"), by: one)
            #expect(try await db.store.losses(of: one.right.incarnation, after: 0) == [])
            #expect(try await db.store.forceEnd(forced)?.title == forced)
            #expect(try await db.store.forceEnd(forced) == nil)
            #expect(try await db.store.sweepOverdue([kept, overdue], by: two.right) == [overdue])
            guard case .alive(let news) = try await one.beat() else {
                throw NeverHappened(description: "dead")
            }
            #expect(news.leaseLosses == 2)
            let losses = try await db.store.losses(of: one.right.incarnation, after: 0)
            #expect(losses == [LeaseLoss(number: 1, title: forced), LeaseLoss(number: 2, title: overdue)])
            #expect(try await db.store.losses(of: one.right.incarnation, after: 1).map(\.number) == [2])
            #expect(try await db.store.end([forced, overdue, kept], by: one.right) == [false, false, true])
        }
    }

    @Test func `a stepped database clock takes nothing from a living holder`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let title = try await db.lease(request("a", deadline: .seconds(30)), by: one)
            // As if the database's clock had been set forward by an hour, heartbeats going on.
            try await db.sql("update flotilla.lease set acquired_at = acquired_at - interval '1 hour'")
            try await one.beat()
            #expect(try await db.store.sweepDead(limit: 10, by: two.right) == [])
            #expect(try await db.store.leases(of: [title.subject]).count == 1)
            #expect(try await db.store.end([title], by: one.right) == [true])
        }
    }
}
