import ClusterModel
import Coordinator
import Testing

/// What holds of every plan, over random tables and views.
@Suite struct ShardPropertyTests {
    /// A table as a cluster may leave it: shards of the dead, half-done hand-offs, pins, fresh moves.
    static func situation(_ dice: inout ShardDice) -> (records: [ShardRecord], view: ClusterView) {
        let members = (1...Int16.random(in: 2...20, using: &dice)).map { number in
            ShardBalancerTests.member(
                number, dice.chance(75) ? .active : dice.chance(50) ? .draining : .dead,
                capacity: Int.random(in: 1...32, using: &dice), load: dice.chance(15) ? 1.4 : 0.5)
        }
        let loads = dice.zipf(part: dice.chance(50) ? 0.05 : 0)
        let records = ShardNumber.all.map { number in
            var record = ShardRecord(number: number, load: loads[Int(number.rawValue)])
            record.wanted = dice.chance(95) ? members.randomElement(using: &dice)?.incarnation : nil
            record.owner = dice.chance(90) ? record.wanted : members.randomElement(using: &dice)?.incarnation
            record.movedFor = .seconds(Int.random(in: -5...90, using: &dice))
            record.pinned = dice.chance(5) ? members.randomElement(using: &dice)?.name : nil
            return record
        }
        return (records, ShardBalancerTests.view(members))
    }

    @Test func `every plan moves what must and little else, to those who may have it`() {
        var counted = (forced: 0, balanced: 0, pinned: 0, alone: 0)
        for seed in 1...300 {
            var dice = ShardDice(seed)
            let (records, view) = Self.situation(&dice)
            let moves = ShardBalancer().plan(records, view: view)
            let active = view.members.filter { $0.status == .active }
            if active.isEmpty {
                #expect(moves == [], "seed \(seed)")
                counted.alone += 1
                continue
            }
            let rested = active.filter { $0.load.load <= 1 }
            let open = Set((rested.isEmpty ? active : rested).map(\.incarnation))
            #expect(Set(moves.map(\.number)).count == moves.count, "seed \(seed)")
            for move in moves {
                let record = records[Int(move.number.rawValue)]
                #expect(move.from == record.wanted && move.to != move.from, "seed \(seed)")
                let pin = record.pinned.flatMap { pin in active.first { $0.name == pin } }
                #expect(pin.map { $0.incarnation == move.to } ?? open.contains(move.to), "seed \(seed)")
                let wasAway = !active.contains { $0.incarnation == record.wanted }
                #expect(move.isForced == (wasAway || pin != nil), "seed \(seed)")
                if !move.isForced {
                    #expect(record.owner == record.wanted, "seed \(seed)")
                    #expect(record.movedFor >= .seconds(30) || record.movedFor < .zero, "seed \(seed)")
                }
                if pin != nil { counted.pinned += 1 }
            }
            let balanced = moves.count { !$0.isForced }
            #expect(balanced <= ShardRules.standard.balanceMoves, "seed \(seed)")
            counted.balanced += balanced
            counted.forced += moves.count - balanced
            // Afterwards everybody has a place, and the pins hold: nothing is forced any more.
            let after = ShardBalancerTests.settled(records, after: moves) { records[$0].load }
            #expect(!ShardBalancer().plan(after, view: view).contains { $0.isForced }, "seed \(seed)")
        }
        #expect(counted.forced > 1_000 && counted.balanced > 100 && counted.pinned > 100)
    }

    @Test func `the order of rows and members decides nothing`() {
        for seed in 1...50 {
            var dice = ShardDice(seed)
            let (records, view) = Self.situation(&dice)
            var other = view
            other.members.shuffle(using: &dice)
            let plan = ShardBalancer().plan(records, view: view)
            #expect(ShardBalancer().plan(records.shuffled(using: &dice), view: other) == plan, "seed \(seed)")
        }
    }

    @Test func `rounds come to an end in the band`() {
        for seed in 1...60 {
            var dice = ShardDice(seed)
            var members = (1...Int16.random(in: 2...8, using: &dice)).map { ShardBalancerTests.member($0) }
            members[0].capacity = 16
            let view = ShardBalancerTests.view(members)
            let loads = dice.zipf(part: 0.02)
            var records = ShardNumber.all.map { ShardRecord(number: $0, load: loads[Int($0.rawValue)]) }
            // Everything is with one of them, which is as uneven as it gets.
            for index in records.indices { records[index].wanted = members[1].incarnation }
            var rounds = 0
            while rounds < 20 {
                records = ShardBalancerTests.settled(records, after: []) { loads[$0] }
                let moves = ShardBalancer().plan(records, view: view)
                if moves.isEmpty { break }
                for move in moves { records[Int(move.number.rawValue)].wanted = move.to }
                rounds += 1
            }
            let nodes = members.map {
                ShardNeed.Node(incarnation: $0.incarnation, capacity: Double($0.capacity))
            }
            #expect(rounds < 20, "seed \(seed)")
            #expect(ShardNeed.ratio(loads, of: records.map(\.wanted), nodes: nodes) <= 1.15, "seed \(seed)")
        }
    }

    /// All nodes with the same names as before, and one more: what a first assignment would give to whom.
    @Test func `a node more or less changes few first assignments`() {
        for count in Int16(3)...19 {
            let before = ShardBalancer().plan(
                ShardBalancerTests.fresh,
                view: ShardBalancerTests.view((1...count).map { ShardBalancerTests.member($0) }))
            let after = ShardBalancer().plan(
                ShardBalancerTests.fresh,
                view: ShardBalancerTests.view((1...count + 1).map { ShardBalancerTests.member($0) }))
            let places = Dictionary(before.map { ($0.number, $0.to) }) { first, _ in first }
            let changed = after.count { places[$0.number] != $0.to }
            // The new one's part is 256 / (n + 1); what has no room where the hash wants it moves besides.
            #expect(changed <= 256 / (Int(count) + 1) * 3, "\(count) nodes")
        }
    }
}
