import ClusterModel
import Coordinator
import Testing

/// What the service around the keeper goes by: when to read, when to report, when a round begins.
@Suite struct ShardServiceDecisionTests {
    private static let five = ShardNumber.all[5]

    private static func title(_ epoch: Int64, _ number: ShardNumber = Self.five) -> ShardTitle {
        guard let epoch = Epoch(rawValue: epoch) else { fatalError("\(epoch) is no epoch") }
        return ShardTitle(number: number, epoch: epoch)
    }

    private static func at(_ milliseconds: Int64) -> ClusterInstant { MembershipTests.at(milliseconds) }

    @Test func `rows are read after news, each second while something moves, and seldom otherwise`() {
        var readings = ShardReadings()
        #expect(readings.isDue(at: Self.at(0)))
        readings.began(at: Self.at(0))
        #expect(!readings.isDue(at: Self.at(999)))
        readings.read(isSettled: false, at: Self.at(10))
        #expect(!readings.isDue(at: Self.at(1_009)) && readings.isDue(at: Self.at(1_010)))
        readings.began(at: Self.at(1_010))
        readings.read(isSettled: true, at: Self.at(1_010))
        #expect(!readings.isDue(at: Self.at(31_009)) && readings.isDue(at: Self.at(31_010)))
        readings.doubted(at: Self.at(2_000))
        #expect(readings.isDue(at: Self.at(3_000)))
        readings.read(isSettled: true, at: Self.at(3_000))
        readings.want()
        #expect(readings.isDue(at: Self.at(3_001)))
        // News that come while it reads ask for another one.
        readings.began(at: Self.at(3_001))
        readings.want()
        readings.read(isSettled: true, at: Self.at(3_002))
        #expect(readings.isDue(at: Self.at(3_002)))
    }

    @Test func `loads are reported when they have changed noticeably`() {
        var loads = ShardLoads()
        let (one, two) = (Self.title(1), Self.title(1, ShardNumber.all[6]))
        loads.begin(one, known: 0, at: Self.at(0))
        loads.begin(two, known: .nan, at: Self.at(0))
        loads.done(0.2, of: one.number)
        loads.measure(at: Self.at(5_000))
        #expect(loads.due.isEmpty)
        loads.done(1_000, of: one.number)
        loads.done(.infinity, of: two.number)
        loads.measure(at: Self.at(10_000))
        let due = loads.due
        #expect(due.map(\.title) == [one] && (due.first?.load ?? 0) > 20)
        loads.reported(due.first?.load ?? 0, of: one)
        #expect(loads.due.isEmpty)
        // It fades, which matters again after a while.
        loads.measure(at: Self.at(11_000))
        #expect(loads.due.isEmpty)
        loads.measure(at: Self.at(20_000))
        #expect(loads.due.map(\.title) == [one])
        // Another title of the same shard begins with what the row says.
        loads.end(two)
        loads.begin(Self.title(2), known: 7, at: Self.at(20_000))
        loads.end(one)
        #expect(loads.due.isEmpty)
        loads.measure(at: Self.at(40_000))
        #expect(loads.due.map(\.title) == [Self.title(2)])
    }

    @Test func `a round begins when it is due or called, one at a time`() {
        var course = StandingCourse()
        #expect(course.begin([], at: Self.at(0)) == false)
        #expect(course.begin([Self.title(1)], at: Self.at(0)) == true)
        #expect(course.inFlight == [Self.title(1)] && course.wakeAt == nil)
        course.call()
        #expect(course.begin([Self.title(1)], at: Self.at(1_000)) == false)
        course.ended(rest: .seconds(3_600), at: Self.at(1_000))
        // It was called meanwhile.
        #expect(course.wakeAt == Self.at(1_050))
        #expect(course.begin([Self.title(1)], at: Self.at(1_049)) == false)
        #expect(course.begin([Self.title(1)], at: Self.at(1_050)) == true)
        course.ended(rest: .seconds(3_600), at: Self.at(2_000))
        #expect(course.wakeAt == Self.at(62_000))
        #expect(course.begin([Self.title(1)], at: Self.at(62_000)) == true)
        course.ended(rest: .zero, at: Self.at(62_000))
        #expect(course.wakeAt == Self.at(62_050))
    }
}
