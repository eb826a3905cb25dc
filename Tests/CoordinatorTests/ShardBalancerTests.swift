import ClusterModel
import Coordinator
import Foundation
import Testing

/// The stories of the balancer; ``ShardPropertyTests`` has what holds in all of them.
@Suite struct ShardBalancerTests {
    static func member(
        _ number: Int16, _ status: MemberStatus = .active, capacity: Int = 8, load: Float = 0
    ) -> Member {
        Member(
            slot: Slot(number), name: MembershipTests.name("worker-\(number)"),
            incarnation: MembershipTests.incarnation(Int64(number) * 10), status: status, heartbeats: 1,
            lastHeartbeat: Date(timeIntervalSince1970: 0), joinedAt: Date(timeIntervalSince1970: 0),
            unbrokenSince: Date(timeIntervalSince1970: 0),
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "1", attributes: [:],
            capacity: capacity, load: LoadSample(inFlight: 0, load: load))
    }

    static func view(_ members: [Member]) -> ClusterView {
        ClusterView(
            cluster: ClusterID(UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))), version: 1,
            memberLimit: 20, schemaVersion: 4, configVersion: ConfigVersion(1), members: members,
            readAt: Date(timeIntervalSince1970: 0))
    }

    static let fresh = ShardNumber.all.map { ShardRecord(number: $0) }

    /// As the table is when the moves were written and taken, a minute later.
    static func settled(
        _ records: [ShardRecord], after moves: [ShardMove], load: (Int) -> Double = { _ in 1 }
    ) -> [ShardRecord] {
        var records = records
        for move in moves { records[Int(move.number.rawValue)].wanted = move.to }
        for index in records.indices {
            records[index].owner = records[index].wanted
            records[index].movedFor = .seconds(60)
            records[index].load = load(index)
        }
        return records
    }

    private static let three = [member(1), member(2), member(3)]

    private static func spread(_ load: (Int) -> Double = { _ in 1 }) -> [ShardRecord] {
        Self.settled(
            Self.fresh, after: ShardBalancer().plan(Self.fresh, view: Self.view(Self.three)), load: load)
    }

    @Test func `at first everybody gets the same number`() {
        let moves = ShardBalancer().plan(Self.fresh, view: Self.view(Self.three))
        #expect(moves.count == 256)
        #expect(moves.allSatisfy { $0.reason == "not assigned yet" })
        for member in Self.three {
            #expect((81...90).contains(moves.count { $0.to == member.incarnation }))
        }
        #expect(ShardBalancer().plan(Self.spread(), view: Self.view(Self.three)) == [])
    }

    @Test func `a node of twice the capacity gets twice as many`() {
        let moves = ShardBalancer().plan(
            Self.fresh, view: Self.view([Self.member(1, capacity: 16), Self.member(2), Self.member(3)]))
        #expect((122...135).contains(moves.count { $0.to.rawValue == 10 }))
    }

    @Test func `the shards of a dead node move at once and no others do`() {
        let records = Self.spread().map { record in
            var record = record
            record.movedFor = .seconds(1)
            return record
        }
        let view = Self.view([Self.member(1), Self.member(2, .dead), Self.member(3)])
        let moves = ShardBalancer().plan(records, view: view)
        #expect(
            Set(moves.map(\.number))
                == Set(records.filter { $0.wanted?.rawValue == 20 }.map(\.number)))
        #expect(moves.allSatisfy { $0.reason == "its owner worker-2 died" && $0.isForced })
        #expect(
            ShardBalancer().plan(records, view: Self.view([Self.member(1)])).contains {
                $0.reason == "its owner incarnation 20 died"
            })
    }

    @Test func `a draining node hands over and nobody gives it anything`() {
        let view = Self.view([Self.member(1), Self.member(2, .draining), Self.member(3)])
        let records = Self.spread()
        let moves = ShardBalancer().plan(records, view: view)
        #expect(moves.count == records.count { $0.wanted?.rawValue == 20 })
        #expect(moves.allSatisfy { $0.reason == "worker-2 drains" && $0.to.rawValue != 20 })
        // Nobody is left to give them to.
        #expect(ShardBalancer().plan(records, view: Self.view([Self.member(2, .draining)])) == [])
    }

    @Test func `an overloaded node gets nothing and keeps what it has`() {
        let tired = Self.member(2, load: 1.5)
        let records = Self.spread()
        #expect(
            ShardBalancer().plan(records, view: Self.view([Self.member(1), tired, Self.member(3)])) == [])
        let dead = ShardBalancer().plan(
            records, view: Self.view([Self.member(1, .dead), tired, Self.member(3)]))
        #expect(dead.allSatisfy { $0.to.rawValue == 30 })
        // When all of them are, somebody has to.
        let all = ShardBalancer().plan(
            records,
            view: Self.view([Self.member(1, .dead), tired, Self.member(3, load: 2)]))
        #expect(Set(all.map(\.to.rawValue)) == [20, 30])
    }

    @Test func `within the band nothing moves, above it the one shard that puts it right`() throws {
        let heavy = try #require(Self.spread().first { $0.wanted?.rawValue == 10 }).number.rawValue
        // The mean is about 86: one shard of 8 more stays within 1.10, one of 21 more does not.
        let within = Self.spread { $0 == Int(heavy) ? 5 : 1 }
        #expect(ShardBalancer().plan(within, view: Self.view(Self.three)) == [])
        let above = Self.spread { $0 == Int(heavy) ? 21 : 1 }
        let moves = ShardBalancer().plan(above, view: Self.view(Self.three))
        #expect(!moves.isEmpty && moves.count <= 16)
        #expect(moves.first?.reason.contains("worker-1 carries 1.") == true)
        #expect(moves.first?.reason.hasSuffix("of the mean") == true)
    }

    @Test func `a shard that is heavier than the mean does not drive the others away`() {
        let records = Self.spread { $0 == 7 ? 300 : 1 }
        let holder = records[7].wanted
        var left = records
        for _ in 0..<20 {
            let moves = ShardBalancer().plan(left, view: Self.view(Self.three))
            if moves.isEmpty { break }
            left = Self.settled(left, after: moves) { $0 == 7 ? 300 : 1 }
        }
        #expect(left[7].wanted == holder)
        #expect(ShardBalancer().plan(left, view: Self.view(Self.three)) == [])
        #expect(left.count { $0.wanted == holder } > 25)
    }

    @Test func `a pin is obeyed while its node is active, and said to be out of force otherwise`() {
        var records = Self.spread()
        let number = records.firstIndex { $0.wanted?.rawValue != 20 } ?? 0
        records[number].pinned = MembershipTests.name("worker-2")
        records[number].movedFor = .zero
        let moves = ShardBalancer().plan(records, view: Self.view(Self.three))
        #expect(moves.map(\.number.rawValue) == [Int16(number)])
        #expect(moves.first?.reason == "pinned to worker-2")
        records = Self.settled(records, after: moves)
        #expect(ShardBalancer().plan(records, view: Self.view(Self.three)) == [])
        // It dies, and comes back.
        let away = ShardBalancer().plan(
            records, view: Self.view([Self.member(1), Self.member(2, .dead), Self.member(3)]))
        #expect(
            away.first { Int($0.number.rawValue) == number }?.reason
                == "its owner worker-2 died; pinned to worker-2, which cannot have it now")
        var back = Self.member(2)
        back.incarnation = MembershipTests.incarnation(99)
        let home = ShardBalancer().plan(
            Self.settled(records, after: away), view: Self.view([Self.member(1), back, Self.member(3)]))
        #expect(home.contains { $0.to.rawValue == 99 && $0.cause == .pinned(back.name) })
    }

    @Test func `a living owner gets back what another should have had and died`() throws {
        var records = Self.spread()
        let handed = try #require(records.first { $0.wanted?.rawValue == 20 }).number.rawValue
        records[Int(handed)].owner = MembershipTests.incarnation(10)
        let moves = ShardBalancer().plan(
            records, view: Self.view([Self.member(1), Self.member(2, .dead), Self.member(3)]))
        #expect(moves.first { $0.number.rawValue == handed }?.to.rawValue == 10)
    }

    @Test func `every shard can be explained`() {
        var record = ShardRecord(
            number: ShardNumber.all[3], wanted: MembershipTests.incarnation(10), term: 4,
            reason: "worker-2 drains", movedFor: .seconds(12), owner: MembershipTests.incarnation(20),
            pinned: MembershipTests.name("worker-9"))
        let view = Self.view([Self.member(1), Self.member(2, .draining)])
        #expect(
            ShardExplanation.lines(record, view: view) == [
                "worker-2 owns it and is handing it over to worker-1",
                "because: worker-2 drains (since 12 s, term 4)",
                "pinned to worker-9, which is not there: balanced like any other until it is",
            ])
        record.owner = record.wanted
        #expect(ShardExplanation.lines(record, view: view).first == "worker-1 owns it")
        record.owner = nil
        #expect(
            ShardExplanation.lines(record, view: view).first
                == "worker-1 should have it and has not taken it yet")
    }

    @Test func `a new level is half-way there after the half-life and one burst is little`() {
        var load = ShardLoad(known: .nan)
        for _ in 0..<4 { load.measured(500, over: .seconds(5)) }
        #expect((45...55).contains(load.smoothed))
        for _ in 0..<20 { load.measured(500, over: .seconds(5)) }
        #expect((97...100).contains(load.smoothed))
        load.measured(.infinity, over: .seconds(1))
        load.measured(5, over: .zero)
        #expect((97...100).contains(load.smoothed))
        load.measured(2_000, over: .seconds(1))
        #expect(load.smoothed < 170)
    }
}
