import ClusterModel
import Coordinator
import Testing

/// What a node's own clock says of its chain.
@Suite struct OwnGapTests {
    /// The database was gone for 16 s, and its clock was set back by as much: it says that nothing happened.
    @Test func `a gap by the own clock takes the vote away whatever the database says`() {
        var coordinator = Coordinator(right: MembershipTests.me, joinedAt: .zero)
        _ = MembershipTests.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let early = MembershipTests.beat(&coordinator, from: 26_000, to: 30_750) { _ in 40 }
        #expect(early == [])
        let late = MembershipTests.beat(&coordinator, from: 31_000, to: 31_500) { _ in 40 }
        #expect(late.count == 1)
    }

    @Test func `a heartbeat that failed takes the vote away at once`() {
        var coordinator = Coordinator(right: MembershipTests.me, joinedAt: .zero)
        _ = MembershipTests.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        _ = coordinator.step(.measured(.beatFailed), at: MembershipTests.at(10_251))
        #expect(coordinator.step(.woke, at: MembershipTests.at(10_500)).accusations == [])
        let late = MembershipTests.beat(&coordinator, from: 10_750, to: 15_250) { _ in 40 }
        #expect(late == [])
    }

    @Test func `an answer that comes late breaks nothing when the heartbeat left in time`() {
        var coordinator = Coordinator(right: MembershipTests.me, joinedAt: .zero)
        _ = MembershipTests.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let news = MembershipTests.news([(20, 40)])
        let effects = coordinator.step(
            .beatAnswered(news, sentAt: MembershipTests.at(10_250)), at: MembershipTests.at(11_000))
        #expect(effects.accusations.count == 1)
    }
}
