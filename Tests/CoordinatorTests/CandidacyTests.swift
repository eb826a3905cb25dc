import ClusterModel
import Coordinator
import Foundation
import Testing

/// Who leads.
@Suite struct CandidacyTests {
    private static let me = MembershipTests.me

    private static func member(_ incarnation: Int64, _ status: MemberStatus = .active) -> Member {
        Member(
            slot: Slot(Int16(incarnation)), name: MembershipTests.name("worker-\(incarnation)"),
            incarnation: MembershipTests.incarnation(incarnation), status: status, heartbeats: 1,
            lastHeartbeat: Date(timeIntervalSince1970: 0), joinedAt: Date(timeIntervalSince1970: 0),
            unbrokenSince: Date(timeIntervalSince1970: 0),
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "test", attributes: [:],
            capacity: 1, load: .idle)
    }

    static func view(
        _ version: Int64, _ members: [(Int64, MemberStatus)], leader: (incarnation: Int64, term: Int64)? = nil
    ) -> ClusterView {
        ClusterView(
            cluster: ClusterID(UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))),
            version: version, memberLimit: 20, schemaVersion: 2, configVersion: ConfigVersion(1),
            members: members.map { Self.member($0.0, $0.1) }, readAt: Date(timeIntervalSince1970: 0),
            leader: leader.map {
                Leadership(
                    slot: Slot(Int16($0.incarnation)),
                    incarnation: MembershipTests.incarnation($0.incarnation),
                    term: $0.term)
            })
    }

    private static func lead(_ incarnation: Int64, term: Int64) -> Leadership {
        Leadership(
            slot: Self.me.slot, incarnation: MembershipTests.incarnation(incarnation), term: term)
    }

    @Test func `nobody leads: the lead is taken once`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        let claim = LeadClaim(right: Self.me, term: 0)
        let effects = coordinator.step(.viewRead(Self.view(1, [(10, .active)])), at: .zero)
        #expect(effects.takesLead == claim)
        #expect(coordinator.candidacy.state == .claimed)
        let beat = coordinator.step(
            .beatAnswered(MembershipTests.news([]), sentAt: .zero), at: MembershipTests.at(1))
        #expect(beat.takesLead == nil)
        #expect(coordinator.candidacy.leading(at: .zero) == nil)
        let answered = coordinator.step(.leadAnswered(claim, taken: Self.lead(10, term: 1)), at: .zero)
        #expect(answered.readsView)
        #expect(coordinator.candidacy.leading(at: .zero) == LeaderRight(right: Self.me, term: 1))
    }

    @Test func `a living leader is left alone and a dead one succeeded`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        let living = Self.view(1, [(10, .active), (20, .draining)], leader: (20, 4))
        #expect(coordinator.step(.viewRead(living), at: .zero).takesLead == nil)
        #expect(coordinator.candidacy.state == .filled)
        let dead = Self.view(2, [(10, .active), (20, .dead)], leader: (20, 4))
        #expect(coordinator.step(.viewRead(dead), at: .zero).takesLead == LeadClaim(right: Self.me, term: 4))
        let pruned = Self.view(3, [(10, .active)], leader: (20, 4))
        #expect(coordinator.step(.viewRead(pruned), at: .zero).takesLead == nil)
    }

    @Test func `a lost claim is made again with the term that is known then`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = coordinator.step(.viewRead(Self.view(1, [(10, .active)])), at: .zero)
        let lost = coordinator.step(
            .leadAnswered(LeadClaim(right: Self.me, term: 0), taken: nil), at: .zero)
        #expect(lost.readsView)
        #expect(coordinator.candidacy.state == .vacant)
        let next = Self.view(2, [(10, .active), (20, .dead)], leader: (20, 1))
        #expect(coordinator.step(.viewRead(next), at: .zero).takesLead == LeadClaim(right: Self.me, term: 1))
    }

    @Test func `an isolated or draining node takes no lead and an isolated one does not lead`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        let late = MembershipTests.at(4_000)
        #expect(coordinator.step(.viewRead(Self.view(1, [(10, .active)])), at: late).takesLead == nil)
        #expect(coordinator.candidacy.state == .vacant)
        var news = MembershipTests.news([])
        news.status = .draining
        #expect(coordinator.step(.beatAnswered(news, sentAt: late), at: late).takesLead == nil)
        news.status = .active
        #expect(coordinator.step(.beatAnswered(news, sentAt: late), at: late).takesLead != nil)
        let claim = LeadClaim(right: Self.me, term: 0)
        _ = coordinator.step(.leadAnswered(claim, taken: Self.lead(10, term: 1)), at: late)
        #expect(coordinator.candidacy.leading(at: MembershipTests.at(7_999)) != nil)
        #expect(coordinator.candidacy.leading(at: MembershipTests.at(8_000)) == nil)
    }
}
