import ClusterModel
import Coordinator
import Testing

/// What one node asks about leases, and when.
@Suite struct LeasingTests {
    static func subject(_ id: String) -> LeaseSubject {
        guard let kind = LeaseKind("job"), let subject = LeaseSubject(kind: kind, id: id) else {
            fatalError("\(id) is no id")
        }
        return subject
    }

    static func request(_ id: String, deadline: Duration? = nil) -> LeaseRequest {
        LeaseRequest(subject: Self.subject(id), deadline: deadline)
    }

    static func epoch(_ number: Int64) -> Epoch {
        guard let epoch = Epoch(rawValue: number) else { fatalError("\(number) is no epoch") }
        return epoch
    }

    static func title(_ id: String, _ number: Int64) -> LeaseTitle {
        LeaseTitle(subject: Self.subject(id), epoch: Self.epoch(number))
    }

    static func ticket(_ number: UInt64) -> Leasing.Ticket { Leasing.Ticket(number) }
    static func reply(_ number: UInt64, _ outcome: Leasing.Outcome) -> Leasing.Reply {
        Leasing.Reply(ticket: Self.ticket(number), outcome: outcome)
    }

    static func at(_ milliseconds: Int64) -> ClusterInstant { MembershipTests.at(milliseconds) }

    static func leasing(_ limits: Leasing.Limits = .standard) -> Leasing {
        Leasing(right: MembershipTests.me, limits: limits)
    }

    /// One that holds `a` by epoch 1.
    static func holding(deadline: Duration? = nil) -> Leasing {
        var leasing = Self.leasing()
        _ = leasing.asked(Self.request("a", deadline: deadline), ticket: Self.ticket(1))
        _ = leasing.next(at: .zero)
        _ = leasing.acquired([.granted(Self.epoch(1))], at: .zero)
        return leasing
    }

    @Test func `a lone request goes at once and the others together`() {
        var leasing = Self.leasing()
        #expect(leasing.asked(Self.request("a"), ticket: Self.ticket(1)) == .waits)
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("a")]))
        for (number, id) in ["b", "c", "d"].enumerated() {
            #expect(leasing.asked(Self.request(id), ticket: Self.ticket(UInt64(2 + number))) == .waits)
            #expect(leasing.next(at: .zero).order == nil)
        }
        let first = leasing.acquired([.taken], at: .zero)
        #expect(first.replies == [Self.reply(1, .denied(.taken))])
        #expect(leasing.next(at: .zero).order == .acquire(["b", "c", "d"].map { Self.request($0) }))
        let second = leasing.acquired([.granted(Self.epoch(7)), .limited, .outOfOrder], at: .zero)
        #expect(
            second.replies == [
                Self.reply(2, .granted(Self.title("b", 7))), Self.reply(3, .denied(.limited)),
                Self.reply(4, .denied(.outOfOrder)),
            ])
        #expect(leasing.table.titles == [Self.title("b", 7)])
        #expect(leasing.next(at: .zero) == Leasing.Next())
    }

    @Test func `a statement names a subject once`() {
        var leasing = Self.leasing()
        for number in 1...3 {
            _ = leasing.asked(Self.request(number == 2 ? "b" : "a"), ticket: Self.ticket(UInt64(number)))
        }
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("a"), Self.request("b")]))
        _ = leasing.acquired([.granted(Self.epoch(1)), .taken], at: .zero)
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("a")]))
    }

    @Test func `ends and acquires take turns`() {
        var leasing = Self.holding()
        #expect(leasing.ending(Self.title("a", 1), ticket: Self.ticket(2), at: .zero) == .waits)
        #expect(leasing.ending(Self.title("a", 1), ticket: nil, at: .zero) == .lost)
        _ = leasing.asked(Self.request("b"), ticket: Self.ticket(3))
        #expect(leasing.next(at: .zero).order == .end([Self.title("a", 1)]))
        let ended = leasing.ended([true], at: .zero)
        #expect(ended.replies == [Self.reply(2, .ended(true))])
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("b")]))
        _ = leasing.acquired([.granted(Self.epoch(2))], at: .zero)
        _ = leasing.asked(Self.request("c"), ticket: Self.ticket(4))
        #expect(leasing.ending(Self.title("b", 2), ticket: nil, at: .zero) == .waits)
        #expect(leasing.next(at: .zero).order == .end([Self.title("b", 2)]))
        #expect(leasing.ended([false], at: .zero).replies == [])
        #expect(leasing.table.count == 0)
    }

    @Test func `a full queue refuses and a full table too`() {
        var limits = Leasing.Limits()
        limits.waiting = 2
        limits.held = 1
        var leasing = Self.leasing(limits)
        #expect(leasing.asked(Self.request("a"), ticket: Self.ticket(1)) == .waits)
        #expect(leasing.asked(Self.request("b"), ticket: Self.ticket(2)) == .waits)
        #expect(leasing.asked(Self.request("c"), ticket: Self.ticket(3)) == .refused)
        _ = leasing.next(at: .zero)
        _ = leasing.acquired([.granted(Self.epoch(1)), .taken], at: .zero)
        #expect(leasing.asked(Self.request("c"), ticket: Self.ticket(4)) == .refused)
    }

    @Test func `a circle halves the batch until each goes alone`() {
        var limits = Leasing.Limits()
        limits.attempts = 2
        var leasing = Self.leasing(limits)
        for number in 1...4 {
            _ = leasing.asked(Self.request("\(number)"), ticket: Self.ticket(UInt64(number)))
        }
        #expect(leasing.next(at: .zero).order == .acquire((1...4).map { Self.request("\($0)") }))
        #expect(leasing.failed(.circle, at: .zero) == Leasing.Result())
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("1"), Self.request("2")]))
        #expect(leasing.failed(.circle, at: .zero) == Leasing.Result())
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("1")]))
        #expect(leasing.failed(.circle, at: .zero) == Leasing.Result())
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("1")]))
        #expect(leasing.failed(.circle, at: .zero).replies == [Self.reply(1, .failed(.circle))])
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("2")]))
        _ = leasing.acquired([.taken], at: .zero)
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("3"), Self.request("4")]))
    }

    @Test func `whoever waits no more gets nothing and its grant is given back`() {
        var leasing = Self.leasing()
        _ = leasing.asked(Self.request("a"), ticket: Self.ticket(1))
        _ = leasing.asked(Self.request("b"), ticket: Self.ticket(2))
        leasing.abandoned(Self.ticket(2))
        #expect(leasing.next(at: .zero).order == .acquire([Self.request("a")]))
        leasing.abandoned(Self.ticket(1))
        #expect(leasing.acquired([.granted(Self.epoch(5))], at: .zero) == Leasing.Result())
        #expect(leasing.next(at: .zero).order == .end([Self.title("a", 5)]))
        #expect(leasing.ended([true], at: .zero) == Leasing.Result())
        #expect(leasing.isIdle)
    }

    @Test func `what was not done is told to those who asked and tried again for ends`() {
        var leasing = Self.leasing()
        _ = leasing.asked(Self.request("a"), ticket: Self.ticket(1))
        _ = leasing.next(at: .zero)
        let failure = Leasing.Failure.notRun("no connection")
        #expect(leasing.failed(failure, at: .zero).replies == [Self.reply(1, .failed(failure))])
        leasing = Self.holding()
        _ = leasing.ending(Self.title("a", 1), ticket: Self.ticket(2), at: .zero)
        _ = leasing.next(at: .zero)
        #expect(leasing.failed(failure, at: Self.at(10)) == Leasing.Result())
        #expect(leasing.next(at: Self.at(10)) == Leasing.Next(wakeAt: Self.at(60)))
        #expect(leasing.next(at: Self.at(60)).order == .end([Self.title("a", 1)]))
        // Who waited for long is told; the end goes on.
        let late = leasing.failed(failure, at: Self.at(5_000))
        #expect(late.replies == [Self.reply(2, .unknown)])
        #expect(leasing.next(at: Self.at(9_000)).order == .end([Self.title("a", 1)]))
        #expect(leasing.ended([true], at: Self.at(9_000)) == Leasing.Result())
        #expect(leasing.table.count == 0)
    }

    @Test func `a fenced node holds nothing and everybody who waits is told`() {
        var leasing = Self.holding()
        _ = leasing.asked(Self.request("b"), ticket: Self.ticket(2))
        _ = leasing.next(at: .zero)
        _ = leasing.asked(Self.request("c"), ticket: Self.ticket(3))
        let result = leasing.acquired([.fenced], at: .zero)
        #expect(result.lost == [Self.title("a", 1)])
        #expect(Set(result.replies.map(\.ticket)) == [Self.ticket(2), Self.ticket(3)])
        #expect(result.replies.allSatisfy { $0.outcome == .denied(.fenced) })
        #expect(leasing.state == .dead)
        #expect(leasing.asked(Self.request("d"), ticket: Self.ticket(4)) == .fenced)
        #expect(leasing.next(at: .zero) == Leasing.Next())
        #expect(leasing.ending(Self.title("a", 1), ticket: nil, at: .zero) == .lost)
    }

    @Test func `a death while a statement is in flight answers once`() {
        var leasing = Self.holding()
        _ = leasing.ending(Self.title("a", 1), ticket: Self.ticket(2), at: .zero)
        _ = leasing.next(at: .zero)
        #expect(leasing.died().replies == [Self.reply(2, .unknown)])
        #expect(leasing.ended([true], at: .zero) == Leasing.Result())
        #expect(leasing.died() == Leasing.Result())
    }

    @Test func `a stopping node ends all that it holds and takes nothing`() {
        var leasing = Self.holding()
        _ = leasing.asked(Self.request("b"), ticket: Self.ticket(2))
        _ = leasing.next(at: .zero)
        _ = leasing.asked(Self.request("c"), ticket: Self.ticket(3))
        #expect(leasing.stopped(at: .zero).replies == [Self.reply(3, .stopping)])
        #expect(leasing.asked(Self.request("d"), ticket: Self.ticket(4)) == .stopping)
        // What is granted now is given back.
        #expect(leasing.acquired([.granted(Self.epoch(2))], at: .zero).replies == [Self.reply(2, .stopping)])
        #expect(!leasing.isIdle)
        #expect(leasing.next(at: .zero).order == .end([Self.title("a", 1), Self.title("b", 2)]))
        _ = leasing.ended([true, true], at: .zero)
        #expect(leasing.isIdle)
    }

    @Test func `a holder stops relying on a lease at its deadline`() {
        let leasing = Self.holding(deadline: .seconds(2))
        #expect(leasing.table.isHeld(Self.title("a", 1), at: Self.at(1_999)))
        #expect(!leasing.table.isHeld(Self.title("a", 1), at: Self.at(2_000)))
        #expect(!leasing.table.isHeld(Self.title("a", 2), at: .zero))
        #expect(!leasing.table.isHeld(Self.title("b", 1), at: .zero))
    }

    @Test func `losses are read once for each announcement`() {
        var leasing = Self.holding()
        leasing.lossesAnnounced(2)
        leasing.lossesAnnounced(1)
        #expect(leasing.next(at: .zero).order == .readLosses(after: 0))
        let result = leasing.lossesRead([
            LeaseLoss(number: 1, title: Self.title("x", 9)), LeaseLoss(number: 2, title: Self.title("a", 1)),
        ])
        #expect(result.lost == [Self.title("a", 1)])
        #expect(leasing.next(at: .zero) == Leasing.Next())
        leasing.lossesAnnounced(3)
        #expect(leasing.next(at: .zero).order == .readLosses(after: 2))
        _ = leasing.failed(.notRun("no connection"), at: .zero)
        let next = leasing.next(at: .zero)
        #expect(next.order == nil)
        #expect(next.wakeAt.map { leasing.next(at: $0).order } == .readLosses(after: 2))
    }
}
