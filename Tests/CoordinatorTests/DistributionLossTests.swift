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
}
