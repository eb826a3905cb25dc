import ClusterModel
import Coordinator
import Testing

@Suite struct DistributionLossTests {
    @Test func `a claim that is taken away before its answer comes is not begun`() {
        var claiming = DistributionClaimingTests.claiming()
        DistributionClaimingTests.surveyed(&claiming, [Cases.lane(1, ready: 3)])
        let shares = DistributionClaimingTests.shares(claiming.next(at: Cases.at(1)))
        #expect(shares.map(\.most) == [3])
        let jobs = DistributionClaimingTests.jobs(1...3)
        #expect(claiming.lost(jobs[1].title) == false)
        #expect(claiming.claimed(jobs) == [jobs[0], jobs[2]])
        #expect(claiming.held.running == 2 && claiming.held.phase(of: jobs[1].title) == nil)
        // What is held is lost as ever; what is not asked for is nobody's.
        #expect(claiming.lost(jobs[0].title) == true)
        #expect(claiming.held.phase(of: jobs[0].title) == .lost)
        #expect(claiming.lost(Cases.job(9, lane: 1).title) == false)
    }

    @Test func `what was lost early concerns one answer only`() {
        var claiming = DistributionClaimingTests.claiming()
        DistributionClaimingTests.surveyed(&claiming, [Cases.lane(1, ready: 3)])
        _ = claiming.next(at: Cases.at(1))
        let jobs = DistributionClaimingTests.jobs(1...1)
        _ = claiming.lost(jobs[0].title)
        claiming.failed(.notRun, at: Cases.at(2))
        var now: Int64 = 2
        while DistributionClaimingTests.shares(claiming.next(at: Cases.at(now))).isEmpty && now < 5_000 {
            now += 10
            claiming.surveyed([Cases.lane(1, ready: 3)], at: Cases.at(now))
        }
        #expect(claiming.claimed(jobs) == jobs)
    }

    @Test func `what it holds is read every minute, and what nobody knows is given back`() {
        var claiming = DistributionClaimingTests.claiming()
        let every = claiming.settings.reviewEvery
        #expect(every == .seconds(60))
        DistributionClaimingTests.surveyed(&claiming, [Cases.lane(1, ready: 1)])
        _ = claiming.next(at: Cases.at(1))
        let jobs = DistributionClaimingTests.jobs(1...2)
        #expect(claiming.claimed([jobs[0]]) == [jobs[0]])
        // Whatever else it does until then; also while it only holds.
        claiming.roleChanged(.holds)
        #expect(claiming.next(at: Cases.at(59_990)).order == nil)
        var orders: [Claiming.Order] = []
        for now in stride(from: 59_995, through: 60_005, by: 5) as StrideThrough<Int64> {
            if let order = claiming.next(at: Cases.at(now)).order { orders.append(order) }
        }
        #expect(orders == [.readClaims])
        // A failover took the accepted ending of the second one back.
        #expect(claiming.claimsRead(jobs, at: Cases.at(60_010)) == [jobs[1]])
        #expect(claiming.held.phase(of: jobs[0].title) == .running)
        // The next one a minute after the answer.
        #expect(claiming.next(at: Cases.at(120_005)).order == nil)
        #expect(claiming.next(at: Cases.at(120_015)).order == .readClaims)
        // One that fails is tried again soon, not a minute later.
        claiming.failed(.notRun, at: Cases.at(120_020))
        #expect(claiming.next(at: Cases.at(125_000)).order == .readClaims)
    }
}
