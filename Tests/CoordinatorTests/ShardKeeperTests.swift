import ClusterModel
import Coordinator
import Testing

/// The stories of one node and the shards that are, or should be, its own.
@Suite struct ShardKeeperTests {
    private static let me = MembershipTests.incarnation(10)
    private static let other = MembershipTests.incarnation(20)
    private static let both: Set<Incarnation> = [me, other]
    private static let number = ShardNumber.all[7]

    private static func title(_ epoch: Int64) -> ShardTitle {
        guard let epoch = Epoch(rawValue: epoch) else { fatalError("\(epoch) is no epoch") }
        return ShardTitle(number: Self.number, epoch: epoch)
    }

    private static func row(_ wanted: Incarnation?, owner: Incarnation?, _ epoch: Int64? = nil) -> ShardRecord
    {
        ShardRecord(
            number: Self.number, wanted: wanted, owner: owner, epoch: epoch.map { Self.title($0).epoch })
    }

    private static func at(_ seconds: Int64) -> ClusterInstant { MembershipTests.at(seconds * 1_000) }

    /// A keeper that owns the shard with epoch 5.
    private static func owner() -> ShardKeeper {
        var keeper = ShardKeeper(Self.me)
        #expect(
            keeper.read([Self.row(Self.me, owner: nil)], living: Self.both, at: Self.at(0))
                == [.take(Self.number, after: nil)])
        #expect(keeper.acting == [])
        #expect(keeper.took(Self.number, Self.title(5).epoch) == [.begin(Self.title(5))])
        #expect(keeper.acting == [Self.title(5)] && keeper.holds(Self.title(5)))
        return keeper
    }

    @Test func `it takes what it should have when nobody who lives has it`() {
        var keeper = ShardKeeper(Self.me)
        let theirs = Self.row(Self.me, owner: Self.other, 3)
        #expect(keeper.read([theirs], living: Self.both, at: Self.at(0)) == [])
        #expect(
            keeper.read([theirs], living: [Self.me], at: Self.at(1))
                == [.take(Self.number, after: Self.title(3).epoch)])
        // Asked once, until there is an answer.
        #expect(keeper.read([theirs], living: [Self.me], at: Self.at(2)) == [])
        #expect(keeper.took(Self.number, nil) == [])
        #expect(
            keeper.read([theirs], living: [Self.me], at: Self.at(3))
                == [.take(Self.number, after: Self.title(3).epoch)])
        #expect(keeper.read([Self.row(Self.other, owner: nil)], living: Self.both, at: Self.at(4)) == [])
    }

    @Test func `a hand-off lets what is in hand end, then releases`() {
        var keeper = Self.owner()
        let moved = Self.row(Self.other, owner: Self.me, 5)
        #expect(keeper.read([moved], living: Self.both, at: Self.at(10)) == [.end(Self.title(5))])
        #expect(keeper.acting == [] && keeper.holds(Self.title(5)))
        #expect(keeper.read([moved], living: Self.both, at: Self.at(11)) == [])
        // Even when it should have it again: a hand-off that began is carried through.
        #expect(keeper.read([Self.row(Self.me, owner: Self.me, 5)], living: Self.both, at: Self.at(12)) == [])
        #expect(keeper.ended(Self.title(5)) == [.release(Self.title(5))])
        #expect(!keeper.holds(Self.title(5)))
        keeper.released(Self.title(5))
        #expect(keeper.knows == [])
        #expect(
            keeper.read([Self.row(Self.me, owner: nil, 5)], living: Self.both, at: Self.at(13))
                == [.take(Self.number, after: Self.title(5).epoch)])
    }

    @Test func `work that does not end is cut after a bounded wait`() {
        var keeper = Self.owner()
        _ = keeper.read([Self.row(Self.other, owner: Self.me, 5)], living: Self.both, at: Self.at(10))
        #expect(keeper.wakeAt == Self.at(20))
        #expect(keeper.passed(to: MembershipTests.at(19_999)) == [])
        #expect(keeper.passed(to: Self.at(20)) == [.cut(Self.title(5)), .release(Self.title(5))])
        #expect(keeper.passed(to: Self.at(21)) == [] && keeper.wakeAt == nil)
        #expect(keeper.ended(Self.title(5)) == [])
    }

    @Test
    func `a taking that a failover has taken back is noticed by the second reading that does not know of it`()
    {
        var keeper = Self.owner()
        let older = [Self.row(Self.me, owner: nil, 4)]
        #expect(keeper.read(older, living: Self.both, at: Self.at(1)) == [])
        #expect(keeper.isInDoubt)
        // The first was only late.
        #expect(keeper.read([Self.row(Self.me, owner: Self.me, 5)], living: Self.both, at: Self.at(2)) == [])
        #expect(!keeper.isInDoubt)
        #expect(keeper.read(older, living: Self.both, at: Self.at(3)) == [])
        #expect(keeper.acting == [Self.title(5)])
        #expect(keeper.read(older, living: Self.both, at: Self.at(4)) == [.cut(Self.title(5))])
        #expect(!keeper.isInDoubt && keeper.acting == [])
        #expect(
            keeper.read(older, living: Self.both, at: Self.at(5))
                == [.take(Self.number, after: Self.title(4).epoch)])
    }

    @Test func `a lost right is noticed by a refused write and by a newer row, not by an older one`() {
        var keeper = Self.owner()
        // Read before the taking, came after it.
        #expect(keeper.read([Self.row(Self.other, owner: nil, 4)], living: Self.both, at: Self.at(1)) == [])
        #expect(keeper.acting == [Self.title(5)])
        var refused = keeper
        #expect(refused.lost(Self.title(4)) == [])
        #expect(refused.lost(Self.title(5)) == [.cut(Self.title(5))])
        #expect(refused.acting == [])
        #expect(
            keeper.read([Self.row(Self.other, owner: Self.other, 6)], living: Self.both, at: Self.at(2))
                == [.cut(Self.title(5))])
        #expect(keeper.acting == [] && keeper.knows == [])
    }

    @Test func `a taking whose answer was lost is found in the row`() {
        var keeper = ShardKeeper(Self.me)
        _ = keeper.read([Self.row(Self.me, owner: nil)], living: Self.both, at: Self.at(0))
        keeper.takingUnknown(Self.number)
        var moved = keeper
        #expect(
            keeper.read([Self.row(Self.me, owner: Self.me, 5)], living: Self.both, at: Self.at(1))
                == [.begin(Self.title(5))])
        #expect(keeper.took(Self.number, Self.title(5).epoch) == [])
        // Meanwhile somebody else should have it.
        #expect(
            moved.read([Self.row(Self.other, owner: Self.me, 5)], living: Self.both, at: Self.at(1))
                == [.release(Self.title(5))])
    }

    @Test func `a release whose answer was lost is ordered again while the row says so`() {
        var keeper = Self.owner()
        let moved = Self.row(Self.other, owner: Self.me, 5)
        _ = keeper.read([moved], living: Self.both, at: Self.at(1))
        _ = keeper.ended(Self.title(5))
        keeper.releaseUnknown(Self.title(5))
        #expect(keeper.read([moved], living: Self.both, at: Self.at(2)) == [.release(Self.title(5))])
        #expect(keeper.read([Self.row(Self.other, owner: nil, 5)], living: Self.both, at: Self.at(3)) == [])
        #expect(keeper.knows == [])
    }

    @Test func `an isolated node drops everything and takes it by a new epoch when it is back`() {
        var keeper = Self.owner()
        let row = Self.row(Self.me, owner: Self.me, 5)
        #expect(keeper.isolated() == [.cut(Self.title(5))])
        #expect(keeper.acting == [] && !keeper.holds(Self.title(5)))
        #expect(keeper.read([row], living: Self.both, at: Self.at(1)) == [])
        keeper.rejoined()
        #expect(
            keeper.read([row], living: Self.both, at: Self.at(2))
                == [.take(Self.number, after: Self.title(5).epoch)])
        #expect(keeper.took(Self.number, Self.title(8).epoch) == [.begin(Self.title(8))])
        // What nobody wants it to have any more is given up.
        _ = keeper.isolated()
        keeper.rejoined()
        #expect(
            keeper.read([Self.row(Self.other, owner: Self.me, 8)], living: Self.both, at: Self.at(3))
                == [.release(Self.title(8))])
    }

    @Test func `an answer that comes while it is isolated begins nothing`() {
        var keeper = ShardKeeper(Self.me)
        _ = keeper.read([Self.row(Self.me, owner: nil)], living: Self.both, at: Self.at(0))
        #expect(keeper.isolated() == [])
        #expect(keeper.took(Self.number, Self.title(5).epoch) == [])
        #expect(keeper.acting == [])
        keeper.rejoined()
        #expect(
            keeper.read([Self.row(Self.me, owner: Self.me, 5)], living: Self.both, at: Self.at(1))
                == [.take(Self.number, after: Self.title(5).epoch)])
    }

    @Test func `a sick node gives up everything at once and takes nothing`() {
        var keeper = Self.owner()
        #expect(
            keeper.resign(at: Self.at(1), within: .zero)
                == [.end(Self.title(5)), .cut(Self.title(5)), .release(Self.title(5))])
        #expect(keeper.resign(at: Self.at(1), within: .zero) == [])
        keeper.released(Self.title(5))
        let given = Self.row(Self.me, owner: nil, 5)
        #expect(keeper.read([given], living: Self.both, at: Self.at(2)) == [])
        keeper.resume()
        #expect(
            keeper.read([given], living: Self.both, at: Self.at(3))
                == [.take(Self.number, after: Self.title(5).epoch)])
        // It falls sick before the answer comes.
        #expect(keeper.resign(at: Self.at(4), within: .zero) == [])
        #expect(keeper.took(Self.number, Self.title(8).epoch) == [.release(Self.title(8))])
        // Nobody knows whether that was done, and the row says that it was not.
        keeper.releaseUnknown(Self.title(8))
        #expect(
            keeper.read([Self.row(Self.me, owner: Self.me, 8)], living: Self.both, at: Self.at(5))
                == [.release(Self.title(8))])
        #expect(keeper.acting == [])
    }

    @Test func `a node that stops lets what is in hand end, for a while`() {
        var keeper = Self.owner()
        #expect(keeper.resign(at: Self.at(1), within: .seconds(3)) == [.end(Self.title(5))])
        #expect(keeper.acting == [] && keeper.ending == [Self.title(5)] && keeper.holds(Self.title(5)))
        var patient = keeper
        #expect(patient.ended(Self.title(5)) == [.release(Self.title(5))])
        #expect(patient.ending == [])
        // Sick meanwhile: no longer than that.
        #expect(
            keeper.resign(at: Self.at(2), within: .zero) == [.cut(Self.title(5)), .release(Self.title(5))])
    }
}
