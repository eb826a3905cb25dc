import ClusterModel
import Coordinator
import Testing

@Suite struct DistributionClaimingTests {
    static func claiming(
        nodes: Int16 = 1, capacity: Int = 64, _ change: (inout Claiming.Settings) -> Void = { _ in }
    ) -> Claiming {
        var settings = Claiming.Settings(kinds: [Cases.webhook])
        settings.capacity = capacity
        change(&settings)
        var claiming = Claiming(slot: Slot(1), settings: settings)
        claiming.viewChanged(Cases.view(nodes: nodes))
        claiming.roleChanged(.claims)
        return claiming
    }

    /// Surveys once, and finds these lanes.
    static func surveyed(
        _ claiming: inout Claiming, _ lanes: [LaneBacklog], at now: ClusterInstant = .zero
    ) {
        guard case .survey? = claiming.next(at: now).order else {
            Issue.record("no survey")
            return
        }
        claiming.surveyed(lanes, at: now)
    }

    static func shares(_ next: Claiming.Next) -> [LaneShare] {
        guard case .claim(let shares)? = next.order else { return [] }
        return shares
    }

    static func jobs(_ numbers: ClosedRange<Int64>, lane: Int64 = 1) -> [ClaimedJob] {
        numbers.map { Cases.job($0, lane: lane) }
    }

    @Test func `a node looks first and claims what it finds`() {
        var claiming = Self.claiming()
        #expect(claiming.next(at: .zero).order == .survey(after: nil, lanes: 200, depth: 64))
        #expect(claiming.next(at: .zero) == Claiming.Next())
        claiming.surveyed([Cases.lane(1, ready: 3)], at: Cases.at(1))
        let shares = Self.shares(claiming.next(at: Cases.at(1)))
        #expect(shares.map(\.most) == [3])
        #expect(shares.map(\.from) == [1_000])
        #expect(claiming.next(at: Cases.at(1)) == Claiming.Next())
        claiming.claimed(Self.jobs(1...3))
        #expect(claiming.held.running == 3)
        #expect(claiming.next(at: Cases.at(2)).order == nil)
    }

    @Test func `a node that holds or has no handler asks for nothing`() {
        var claiming = Self.claiming()
        claiming.roleChanged(.holds)
        #expect(claiming.next(at: .zero) == Claiming.Next())
        claiming.roleChanged(.claims)
        Self.surveyed(&claiming, [Cases.lane(1, ready: 3, kind: Cases.kind("copy"))])
        #expect(Self.shares(claiming.next(at: Cases.at(1))).isEmpty)
        var mute = Claiming(slot: Slot(1), settings: Claiming.Settings(kinds: []))
        mute.roleChanged(.claims)
        #expect(mute.next(at: .zero) == Claiming.Next())
    }

    @Test func `an idle node looks every five seconds and at every beat after news`() {
        var claiming = Self.claiming()
        Self.surveyed(&claiming, [])
        #expect(claiming.next(at: Cases.at(10)).wakeAt == Cases.at(5_000))
        var looks: [Int64] = []
        for time in stride(from: Int64(10), through: 16_000, by: 10) {
            if time == 7_000 { claiming.newsHeard(7, at: Cases.at(time)) }
            guard case .survey? = claiming.next(at: Cases.at(time)).order else { continue }
            looks.append(time)
            claiming.surveyed([], at: Cases.at(time))
        }
        #expect(looks == [5_000, 7_000, 7_250, 7_500, 7_750, 8_000, 13_000])
        claiming.newsHeard(7, at: Cases.at(16_000))
        #expect(claiming.next(at: Cases.at(16_010)).order == nil)
        claiming.newsHeard(6, at: Cases.at(16_020))
        #expect(claiming.next(at: Cases.at(16_020)).order != nil)
    }

    @Test func `a ring is heard while there is enough to do, and often only when it tells of a lane`() {
        var claiming = Self.claiming()
        let flood = Cases.lane(1, ready: 1_000)
        Self.surveyed(&claiming, [flood])
        var now: Int64 = 0
        // When the next look comes that a ring brings about; a claim is under way all the time.
        func look(_ lanes: [LaneBacklog]) -> Int64 {
            claiming.rang()
            let rungAt = now
            while true {
                now += 1
                switch claiming.next(at: Cases.at(now)).order {
                case .survey?:
                    claiming.surveyed(lanes, at: Cases.at(now))
                    return now - rungAt
                case .claim(let shares)?:
                    claiming.claimed(
                        shares.flatMap { share in
                            let first = share.lane.rawValue * 1_000
                            return Self.jobs(
                                first...(first + Int64(share.most) - 1), lane: share.lane.rawValue)
                        })
                case .readClaims?, nil: break
                }
                for title in claiming.held.titles {
                    _ = claiming.held.returned(title, .done(note: nil))
                    claiming.settled(title)
                }
            }
        }
        #expect([look([flood]), look([flood]), look([flood])] == [20, 40, 80])
        #expect(look([flood, Cases.lane(2, ready: 5)]) == 160)
        #expect(look([flood, Cases.lane(2, ready: 5)]) == 20)
    }

    @Test func `a ring is answered at once and rings for nothing are answered later`() {
        var claiming = Self.claiming()
        Self.surveyed(&claiming, [])
        var now: Int64 = 0
        for pause in [2, 4, 8, 16, 16] as [Int64] {
            claiming.rang()
            #expect(claiming.next(at: Cases.at(now)).wakeAt == Cases.at(now + pause))
            now += pause
            Self.surveyed(&claiming, [], at: Cases.at(now))
        }
        claiming.rang()
        Self.surveyed(&claiming, [Cases.lane(1, ready: 1)], at: Cases.at(now + 16))
        #expect(Self.shares(claiming.next(at: Cases.at(now + 16))).count == 1)
        claiming.claimed(Self.jobs(1...1))
        claiming.rang()
        #expect(claiming.next(at: Cases.at(now + 16)).wakeAt == Cases.at(now + 24))
    }

    @Test func `a backlog is shared and what is left is looked at again`() {
        var claiming = Self.claiming(nodes: 20)
        Self.surveyed(&claiming, [Cases.lane(1, ready: 40)])
        #expect(Self.shares(claiming.next(at: .zero)).map(\.most) == [2])
        claiming.claimed(Self.jobs(1...2))
        #expect(claiming.next(at: .zero) == Claiming.Next(wakeAt: Cases.at(25)))
        Self.surveyed(&claiming, [Cases.lane(1, ready: 3)], at: Cases.at(25))
        #expect(Self.shares(claiming.next(at: Cases.at(25))).map(\.most) == [1])
    }

    @Test func `nodes with more capacity take more`() {
        var claiming = Self.claiming()
        claiming.viewChanged(Cases.view([Cases.member(1, capacity: 30), Cases.member(2, capacity: 10)]))
        Self.surveyed(&claiming, [Cases.lane(1, ready: 40)])
        #expect(Self.shares(claiming.next(at: .zero)).map(\.most) == [30])
    }

    @Test func `under a deep backlog it claims again and again without a look`() {
        var claiming = Self.claiming(nodes: 20, capacity: 10)
        Self.surveyed(&claiming, [Cases.lane(1, ready: 1_000)])
        for round in 0..<20 as Range<Int64> {
            #expect(Self.shares(claiming.next(at: Cases.at(round))).map(\.most) == [10])
            claiming.claimed(Self.jobs((round * 10 + 1)...(round * 10 + 10)))
            for number in (round * 10 + 1)...(round * 10 + 10) {
                #expect(claiming.held.returned(Cases.title(number), .done(note: nil)) == .done(note: nil))
            }
        }
    }

    @Test func `a busy node gathers slots for five milliseconds or until a quarter is free`() {
        var claiming = Self.claiming(capacity: 8) { $0.depthMin = 1_000 }
        Self.surveyed(&claiming, [Cases.lane(1, ready: 100)])
        #expect(Self.shares(claiming.next(at: .zero)).map(\.most) == [8])
        claiming.claimed(Self.jobs(1...8))
        #expect(claiming.next(at: .zero) == Claiming.Next())
        _ = claiming.held.returned(Cases.title(1), .done(note: nil))
        #expect(claiming.next(at: Cases.at(1)) == Claiming.Next(wakeAt: Cases.at(6)))
        #expect(Self.shares(claiming.next(at: Cases.at(6))).map(\.most) == [1])
        claiming.claimed(Self.jobs(9...9))
        _ = claiming.held.returned(Cases.title(2), .done(note: nil))
        #expect(claiming.next(at: Cases.at(10)).wakeAt == Cases.at(15))
        _ = claiming.held.returned(Cases.title(3), .done(note: nil))
        #expect(Self.shares(claiming.next(at: Cases.at(11))).map(\.most) == [2])
    }

    @Test func `one job is not kept waiting for a batch`() {
        var claiming = Self.claiming(capacity: 8)
        Self.surveyed(&claiming, [Cases.lane(1, ready: 7)])
        _ = claiming.next(at: .zero)
        claiming.claimed(Self.jobs(1...7))
        claiming.rang()
        Self.surveyed(&claiming, [Cases.lane(1, ready: 1)], at: Cases.at(50))
        #expect(Self.shares(claiming.next(at: Cases.at(50))).map(\.most) == [1])
    }

    @Test func `a claim begins at the mark and once a second at the beginning`() {
        var claiming = Self.claiming(capacity: 4) { $0.depthMin = 1_000 }
        var begins: [Int64?] = []
        var number: Int64 = 0
        for time in stride(from: Int64(0), through: 2_200, by: 100) {
            var next = claiming.next(at: Cases.at(time))
            if case .survey? = next.order {
                claiming.surveyed([Cases.lane(1, ready: 1_000)], at: Cases.at(time))
                next = claiming.next(at: Cases.at(time))
            }
            let shares = Self.shares(next)
            #expect(shares.map(\.most) == [4])
            begins += shares.map(\.from)
            claiming.claimed(Self.jobs((number + 1)...(number + 4)))
            for job in (number + 1)...(number + 4) {
                _ = claiming.held.returned(Cases.title(job), .done(note: nil))
            }
            number += 4
        }
        #expect(begins.count { $0 == nil } == 2)
        #expect(begins.first == 1_000)
    }

    @Test func `places and drains narrow the set and an empty set is everybody`() {
        var claiming = Self.claiming()
        let here = Cases.member(1, attributes: ["zone": "a"])
        let there = Cases.member(2, attributes: ["zone": "b"])
        claiming.viewChanged(Cases.view([here, there]))
        let lanes = [
            Cases.lane(1, ready: 4, requires: ["zone=a"]), Cases.lane(2, ready: 4, requires: ["zone=b"]),
            Cases.lane(3, ready: 4, requires: ["zone=c"]),
        ]
        Self.surveyed(&claiming, lanes)
        let shares = Self.shares(claiming.next(at: .zero))
        #expect(Dictionary(uniqueKeysWithValues: shares.map { ($0.lane.rawValue, $0.most) }) == [1: 4, 3: 2])
        claiming.claimed([])
        claiming.viewChanged(Cases.view([here, Cases.member(2, .draining, attributes: ["zone": "b"])]))
        Self.surveyed(&claiming, lanes, at: Cases.at(300))
        #expect(Self.shares(claiming.next(at: Cases.at(300))).map(\.most) == [4, 4, 4])
    }

    @Test func `an overloaded node leaves to others what is fresh`() {
        var claiming = Self.claiming(nodes: 2)
        claiming.loadSampled(isOverloaded: true)
        Self.surveyed(&claiming, [Cases.lane(1, ready: 4)])
        #expect(claiming.next(at: .zero) == Claiming.Next(wakeAt: Cases.at(250)))
        Self.surveyed(&claiming, [Cases.lane(1, ready: 4, waited: .seconds(2))], at: Cases.at(250))
        #expect(Self.shares(claiming.next(at: Cases.at(250))).map(\.most) == [2])
    }

    @Test func `limits of the cluster and of the node are kept`() {
        var claiming = Self.claiming()
        let lanes = [
            Cases.lane(1, ready: 50, room: 3), Cases.lane(2, ready: 50, room: 0),
            Cases.lane(3, ready: 50, kind: Cases.webhook, perNode: 5), Cases.lane(4, ready: 50, perNode: 5),
        ]
        Self.surveyed(&claiming, lanes)
        let shares = Self.shares(claiming.next(at: .zero))
        let most = Dictionary(uniqueKeysWithValues: shares.map { ($0.lane.rawValue, $0.most) })
        #expect(most[1] == 3)
        #expect(most[2] == nil)
        #expect((most[3] ?? 0) + (most[4] ?? 0) == 5)
        claiming.claimed(
            shares.flatMap { share in
                (0..<share.most).map {
                    Cases.job(share.lane.rawValue * 100 + Int64($0), lane: share.lane.rawValue)
                }
            })
        #expect(claiming.next(at: .zero) == Claiming.Next(wakeAt: Cases.at(250)))
        // A limit that has room again is worth a look.
        _ = claiming.held.returned(Cases.title(100), .done(note: nil))
        claiming.settled(Cases.title(100))
        #expect(claiming.next(at: Cases.at(1)).order == .survey(after: nil, lanes: 200, depth: 64))
    }

    @Test func `what a lost answer granted is given back however late it turns up`() {
        var claiming = Self.claiming()
        Self.surveyed(&claiming, [Cases.lane(1, ready: 2)])
        _ = claiming.next(at: .zero)
        claiming.failed(.mayHaveRun, at: Cases.at(1))
        #expect(claiming.next(at: Cases.at(1)).order == .readClaims)
        claiming.failed(.notRun, at: Cases.at(2))
        #expect(claiming.next(at: Cases.at(2)).order == nil)
        #expect(claiming.next(at: Cases.at(500)).order == .readClaims)
        #expect(claiming.claimsRead([], at: Cases.at(501)) == [])
        #expect(claiming.next(at: Cases.at(502)).order == .survey(after: nil, lanes: 200, depth: 64))
        claiming.surveyed([], at: Cases.at(503))
        #expect(claiming.next(at: Cases.at(700)).order == .readClaims)
        #expect(claiming.claimsRead([Cases.job(1)], at: Cases.at(701)) == [Cases.job(1)])
        var reads = 0
        for time in stride(from: Int64(702), to: 60_000, by: 10) {
            switch claiming.next(at: Cases.at(time)).order {
            case .readClaims?:
                // It is known by now: nobody gives it back twice.
                #expect(claiming.claimsRead([Cases.job(1)], at: Cases.at(time)) == [])
                reads += 1
            case .survey?: claiming.surveyed([], at: Cases.at(time))
            case .claim?, nil: break
            }
        }
        #expect((5...20).contains(reads))
    }

    @Test func `a failed statement is tried again with growing pauses`() {
        var claiming = Self.claiming()
        var tries: [Int64] = []
        for time in stride(from: Int64(0), to: 10_000, by: 10) {
            guard claiming.next(at: Cases.at(time)).order != nil else { continue }
            tries.append(time)
            claiming.failed(.notRun, at: Cases.at(time))
        }
        #expect(tries == [0, 50, 150, 350, 750, 1_550, 3_150, 5_150, 7_150, 9_150])
    }

    @Test func `a dead incarnation claims nothing and the next one begins anew`() {
        var claiming = Self.claiming()
        Self.surveyed(&claiming, [Cases.lane(1, ready: 2)])
        _ = claiming.next(at: .zero)
        claiming.claimed(nil)
        #expect(claiming.next(at: Cases.at(5_000)) == Claiming.Next())
        claiming.joined(slot: Slot(2))
        claiming.roleChanged(.claims)
        #expect(claiming.next(at: Cases.at(5_000)).order != nil)
    }

    @Test func `handlers that outlive their incarnation keep their slots`() {
        var claiming = Self.claiming(capacity: 2)
        Self.surveyed(&claiming, [Cases.lane(1, ready: 2)])
        _ = claiming.next(at: .zero)
        claiming.claimed(Self.jobs(1...2))
        claiming.joined(slot: Slot(1))
        claiming.roleChanged(.claims)
        #expect(claiming.next(at: Cases.at(10)) == Claiming.Next())
        #expect(claiming.held.returned(Cases.title(1), .done(note: nil)) == nil)
        #expect(claiming.next(at: Cases.at(10)).order != nil)
    }

    @Test func `pages of a survey follow one another and no lane is lost or kept for ever`() {
        var claiming = Self.claiming(capacity: 1) { settings in
            settings.lanesAPage = 2
            settings.lanesRemembered = 3
        }
        var left: [Int64: Int] = Dictionary(uniqueKeysWithValues: (1...9).map { ($0, 2) })
        var number: Int64 = 0
        for time in stride(from: Int64(0), to: 60_000, by: 5) {
            switch claiming.next(at: Cases.at(time)).order {
            case .survey(let after, let lanes, _)?:
                let page = left.keys.sorted().filter { $0 > after?.rawValue ?? 0 && left[$0] ?? 0 > 0 }
                claiming.surveyed(
                    page.prefix(lanes).map { Cases.lane($0, ready: left[$0] ?? 0) }, at: Cases.at(time))
            case .claim(let shares)?:
                var jobs: [ClaimedJob] = []
                for share in shares where left[share.lane.rawValue] ?? 0 > 0 {
                    number += 1
                    left[share.lane.rawValue, default: 0] -= 1
                    jobs.append(Cases.job(number, lane: share.lane.rawValue))
                }
                claiming.claimed(jobs)
                for job in jobs { _ = claiming.held.returned(job.title, .done(note: nil)) }
            case .readClaims?, nil: break
            }
        }
        #expect(left.values.allSatisfy { $0 == 0 }, "\(left)")
    }
}
