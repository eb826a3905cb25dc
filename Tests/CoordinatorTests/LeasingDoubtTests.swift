import ClusterModel
import Coordinator
import Testing

/// Lost answers (R2).
@Suite struct LeasingDoubtTests {
    private typealias Base = LeasingTests

    private static func record(_ title: LeaseTitle, of incarnation: Int64 = 10) -> LeaseRecord {
        LeaseRecord(
            title: title, slot: Slot(1), node: MembershipTests.name("worker-1"),
            incarnation: MembershipTests.incarnation(incarnation), orderKey: nil, limit: nil, deadline: nil,
            age: .zero)
    }

    /// One whose question for `a` was lost at 100 ms.
    private static func doubtful() -> Leasing {
        var leasing = Base.leasing()
        _ = leasing.asked(Base.request("a", deadline: .seconds(9)), ticket: Base.ticket(1))
        _ = leasing.next(at: .zero)
        #expect(leasing.failed(.mayHaveRun("reset"), at: Base.at(100)) == Leasing.Result())
        return leasing
    }

    @Test func `a lost grant is found by reading`() {
        var leasing = Self.doubtful()
        #expect(leasing.next(at: Base.at(100)).order == .read([Base.subject("a")]))
        let result = leasing.read([Self.record(Base.title("a", 4))], at: Base.at(120))
        #expect(result.replies == [Base.reply(1, .granted(Base.title("a", 4)))])
        // From when the question left.
        #expect(leasing.table.holdings[Base.subject("a")]?.voidAt == Base.at(9_000))
        #expect(leasing.next(at: Base.at(120)) == Leasing.Next())
    }

    @Test func `a lease of somebody else is no lost grant`() {
        var leasing = Self.doubtful()
        _ = leasing.next(at: Base.at(100))
        let result = leasing.read([Self.record(Base.title("a", 4), of: 20)], at: Base.at(120))
        #expect(result.replies == [Base.reply(1, .unknown)])
        #expect(leasing.table.count == 0)
    }

    @Test func `a grant that turns up later is given back`() {
        var leasing = Self.doubtful()
        _ = leasing.next(at: Base.at(100))
        #expect(leasing.read([], at: Base.at(120)).replies == [Base.reply(1, .unknown)])
        #expect(leasing.next(at: Base.at(120)) == Leasing.Next(wakeAt: Base.at(620)))
        #expect(leasing.next(at: Base.at(620)).order == .read([Base.subject("a")]))
        #expect(leasing.read([Self.record(Base.title("a", 4))], at: Base.at(630)) == Leasing.Result())
        #expect(leasing.next(at: Base.at(630)).order == .end([Base.title("a", 4)]))
    }

    @Test func `a later grant of the same subject is not taken for the lost one`() {
        var leasing = Self.doubtful()
        _ = leasing.next(at: Base.at(100))
        _ = leasing.read([], at: Base.at(120))
        _ = leasing.asked(Base.request("a"), ticket: Base.ticket(2))
        #expect(leasing.next(at: Base.at(130)).order == .acquire([Base.request("a")]))
        _ = leasing.acquired([.granted(Base.epoch(6))], at: Base.at(140))
        #expect(leasing.next(at: Base.at(620)).order == .read([Base.subject("a")]))
        _ = leasing.read([Self.record(Base.title("a", 6))], at: Base.at(630))
        #expect(leasing.table.titles == [Base.title("a", 6)])
        #expect(leasing.next(at: Base.at(640)).order == nil)
    }

    @Test func `nobody looks for a lost grant for ever`() {
        var leasing = Self.doubtful()
        var now = Base.at(100)
        var readings = 0
        while let wakeAt = { () -> ClusterInstant? in
            let next = leasing.next(at: now)
            if next.order != nil { return now }
            return next.wakeAt
        }() {
            if wakeAt > now {
                now = wakeAt
            } else {
                readings += 1
                _ = leasing.read([], at: now)
            }
            guard readings < 1_000 else { break }
        }
        #expect(readings > 50 && readings < 70)
        #expect(now.since(Base.at(100)) >= .seconds(30))
    }

    @Test func `readings that fail are tried again and whoever waits long is told`() {
        var leasing = Self.doubtful()
        _ = leasing.next(at: Base.at(100))
        #expect(leasing.failed(.notRun("no connection"), at: Base.at(110)) == Leasing.Result())
        #expect(leasing.next(at: Base.at(110)) == Leasing.Next(wakeAt: Base.at(160)))
        _ = leasing.next(at: Base.at(160))
        let told = leasing.failed(.notRun("no connection"), at: Base.at(5_100))
        #expect(told.replies == [Base.reply(1, .unknown)])
        #expect(leasing.next(at: Base.at(6_000)).order == .read([Base.subject("a")]))
        #expect(leasing.read([Self.record(Base.title("a", 4))], at: Base.at(6_100)) == Leasing.Result())
        #expect(leasing.next(at: Base.at(6_100)).order == .end([Base.title("a", 4)]))
    }

    @Test func `an end whose answer was lost is read, and tried again only while it is there`() {
        var leasing = Base.holding()
        _ = leasing.ending(Base.title("a", 1), ticket: Base.ticket(2), at: .zero)
        _ = leasing.next(at: .zero)
        #expect(leasing.failed(.mayHaveRun("reset"), at: Base.at(10)) == Leasing.Result())
        #expect(leasing.next(at: Base.at(10)).order == .read([Base.subject("a")]))
        #expect(leasing.read([Self.record(Base.title("a", 1))], at: Base.at(20)) == Leasing.Result())
        #expect(leasing.next(at: Base.at(20)).order == .end([Base.title("a", 1)]))
        // The statement that was lost may have been faster.
        #expect(leasing.ended([false], at: Base.at(30)).replies == [Base.reply(2, .unknown)])
        #expect(leasing.isIdle)
    }

    @Test func `an end whose answer was lost and that is gone is unknown`() {
        var leasing = Base.holding()
        _ = leasing.ending(Base.title("a", 1), ticket: Base.ticket(2), at: .zero)
        _ = leasing.next(at: .zero)
        _ = leasing.failed(.mayHaveRun("reset"), at: Base.at(10))
        _ = leasing.next(at: Base.at(10))
        let result = leasing.read([Self.record(Base.title("a", 3), of: 20)], at: Base.at(20))
        #expect(result.replies == [Base.reply(2, .unknown)])
        #expect(leasing.table.count == 0)
        #expect(leasing.isIdle)
    }

    @Test func `many doubts are all looked at in turns`() {
        var limits = Leasing.Limits()
        limits.batch = 2
        var leasing = Base.leasing(limits)
        for number in 1...5 {
            _ = leasing.asked(Base.request("\(number)"), ticket: Base.ticket(UInt64(number)))
        }
        var now: Int64 = 0
        var told: Set<Leasing.Ticket> = []
        var asked: Set<LeaseSubject> = []
        for _ in 0..<40 {
            now += 600
            switch leasing.next(at: Base.at(now)).order {
            case .acquire?:
                told.formUnion(leasing.failed(.mayHaveRun("reset"), at: Base.at(now)).replies.map(\.ticket))
            case .read(let subjects)?:
                if told.count == 5 { asked.formUnion(subjects) }
                told.formUnion(leasing.read([], at: Base.at(now)).replies.map(\.ticket))
            case .end?, .readLosses?, nil: break
            }
        }
        #expect(told.count == 5)
        #expect(asked.count == 5)
    }
}
