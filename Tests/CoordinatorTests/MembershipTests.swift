import ClusterModel
import Coordinator
import Foundation
import Testing

/// The stories of one node that watches another.
@Suite struct MembershipTests {
    static let me = NodeRight(slot: Slot(1), incarnation: incarnation(10), name: name("worker-1"))

    static func incarnation(_ raw: Int64) -> Incarnation {
        guard let value = Incarnation(rawValue: raw) else { fatalError("\(raw) is no incarnation") }
        return value
    }

    static func name(_ text: String) -> NodeName {
        guard let value = NodeName(text) else { fatalError("\(text) is no name") }
        return value
    }

    static func news(_ others: [(Int64, Int64)], unbroken: Bool = true, view: Int64 = 1) -> HeartbeatNews {
        HeartbeatNews(
            status: .active, chainUnbroken: unbroken, viewVersion: view, configVersion: ConfigVersion(1),
            sweepDue: false,
            observed: others.map {
                ObservedHeartbeat(
                    slot: Slot(Int16($0.0)), incarnation: Self.incarnation($0.0), heartbeats: $0.1)
            })
    }

    static func at(_ milliseconds: Int64) -> ClusterInstant {
        .zero.advanced(by: .milliseconds(milliseconds))
    }

    /// Beats every 250 ms from `first` to `last`; the other's count comes from `heartbeats`.
    static func beat(
        _ coordinator: inout Coordinator, from first: Int64, to last: Int64, unbroken: Bool = true,
        heartbeats: (Int64) -> Int64
    ) -> [Accusation] {
        var accusations: [Accusation] = []
        for time in stride(from: first, through: last, by: 250) {
            let news = Self.news([(20, heartbeats(time))], unbroken: unbroken)
            let effects = coordinator.step(.beatAnswered(news, sentAt: Self.at(time)), at: Self.at(time))
            accusations += effects.accusations
        }
        return accusations
    }

    @Test func `a member that beats is never accused`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        #expect(Self.beat(&coordinator, from: 250, to: 60_000) { $0 / 250 } == [])
    }

    @Test func `a member that stands still is accused after the fast window`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = Self.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let accusations = Self.beat(&coordinator, from: 10_250, to: 10_500) { _ in 40 }
        #expect(accusations.count == 1)
        #expect(accusations.first?.targetIncarnation == Self.incarnation(20))
        #expect(accusations.first?.heartbeats == 40)
        #expect(accusations.first?.watched == .milliseconds(500))
    }

    @Test func `the timer accuses without waiting for a heartbeat`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = Self.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        _ = Self.beat(&coordinator, from: 10_250, to: 10_250) { _ in 40 }
        let effects = coordinator.step(
            .beatAnswered(Self.news([(20, 40)]), sentAt: Self.at(10_400)), at: Self.at(10_420))
        #expect(effects.accusations == [])
        #expect(effects.wakeAt == Self.at(10_500))
        #expect(coordinator.step(.woke, at: Self.at(10_500)).accusations.count == 1)
    }

    @Test func `what was seen half a period ago is held against nobody`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = Self.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let effects = coordinator.step(
            .beatAnswered(Self.news([(20, 40)]), sentAt: Self.at(10_250)), at: Self.at(10_250))
        #expect(effects.wakeAt == Self.at(10_500))
        #expect(coordinator.step(.woke, at: Self.at(10_500)).accusations == [])
        #expect(Self.beat(&coordinator, from: 10_510, to: 10_510) { _ in 40 }.count == 1)
    }

    @Test func `one accusation is with the store at a time`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = Self.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let first = Self.beat(&coordinator, from: 10_250, to: 12_000) { _ in 40 }
        #expect(first.count == 1)
        guard let accusation = first.first else { return }
        _ = coordinator.step(.accusationAnswered(accusation, killed: false), at: Self.at(12_100))
        let second = Self.beat(&coordinator, from: 12_250, to: 12_250) { _ in 40 }
        #expect(second.count == 1)
    }

    @Test func `a node without an unbroken chain accuses nobody`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        #expect(Self.beat(&coordinator, from: 250, to: 4_750) { _ in 7 } == [])
    }

    @Test func `a break in the chain starts the watching again`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = Self.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let broken = Self.news([(20, 40)], unbroken: false)
        let effects = coordinator.step(.beatAnswered(broken, sentAt: Self.at(70_000)), at: Self.at(70_000))
        #expect(effects.accusations == [])
        #expect(Self.beat(&coordinator, from: 70_250, to: 74_750) { _ in 40 } == [])
        #expect(Self.beat(&coordinator, from: 75_000, to: 75_000) { _ in 40 }.count == 1)
    }

    @Test func `death is final and asks for a new incarnation once`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        #expect(coordinator.step(.foundDead, at: Self.at(1)).ends)
        #expect(coordinator.membership.state == .dead)
        #expect(coordinator.step(.foundDead, at: Self.at(2)) == Effects())
        let late = coordinator.step(.beatAnswered(Self.news([(20, 1)]), sentAt: Self.at(3)), at: Self.at(3))
        #expect(late == Effects())
    }

    @Test func `only a successor of the published view is published`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        func view(_ version: Int64) -> ClusterView {
            ClusterView(
                cluster: ClusterID(UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))),
                version: version,
                memberLimit: 20, schemaVersion: 1, configVersion: ConfigVersion(1), members: [],
                readAt: Date(timeIntervalSince1970: 0))
        }
        #expect(coordinator.step(.viewRead(view(5)), at: .zero).publishes == view(5))
        #expect(coordinator.step(.viewRead(view(4)), at: .zero).publishes == nil)
        #expect(coordinator.step(.viewRead(view(5)), at: .zero).publishes == nil)
        #expect(coordinator.step(.viewRead(view(6)), at: .zero).publishes == view(6))
        _ = coordinator.step(.beatAnswered(Self.news([], view: 6), sentAt: .zero), at: .zero)
        #expect(
            !coordinator.step(.beatAnswered(Self.news([], view: 6), sentAt: .zero), at: Self.at(4_999))
                .readsView)
        #expect(coordinator.step(.beatAnswered(Self.news([], view: 7), sentAt: .zero), at: .zero).readsView)
    }

    @Test func `the load that a view shows is read anew after five seconds`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        func view(readAt seconds: TimeInterval) -> ClusterView {
            ClusterView(
                cluster: ClusterID(UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))),
                version: 5,
                memberLimit: 20, schemaVersion: 1, configVersion: ConfigVersion(1), members: [],
                readAt: Date(timeIntervalSince1970: seconds))
        }
        let news = Self.news([], view: 5)
        #expect(coordinator.step(.beatAnswered(news, sentAt: .zero), at: .zero).readsView)
        #expect(coordinator.step(.viewRead(view(readAt: 1)), at: .zero).publishes == view(readAt: 1))
        #expect(!coordinator.step(.beatAnswered(news, sentAt: .zero), at: Self.at(4_750)).readsView)
        #expect(coordinator.step(.beatAnswered(news, sentAt: .zero), at: Self.at(5_000)).readsView)
        #expect(coordinator.step(.viewRead(view(readAt: 6)), at: Self.at(5_010)).publishes == view(readAt: 6))
        #expect(coordinator.step(.viewRead(view(readAt: 2)), at: Self.at(5_020)).publishes == nil)
    }

    @Test func `a view that the database has taken back is replaced by an older one`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        func view(_ version: Int64, readAt seconds: TimeInterval) -> ClusterView {
            ClusterView(
                cluster: ClusterID(UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))),
                version: version, memberLimit: 20, schemaVersion: 1, configVersion: ConfigVersion(1),
                members: [], readAt: Date(timeIntervalSince1970: seconds))
        }
        #expect(coordinator.step(.viewRead(view(9, readAt: 9)), at: .zero).publishes == view(9, readAt: 9))
        #expect(coordinator.step(.viewRead(view(7, readAt: 10)), at: .zero).publishes == nil)
        let news = Self.news([], view: 7)
        #expect(coordinator.step(.beatAnswered(news, sentAt: .zero), at: Self.at(10)).readsView)
        #expect(
            coordinator.step(.viewRead(view(7, readAt: 11)), at: Self.at(20)).publishes
                == view(7, readAt: 11))
        #expect(coordinator.step(.viewRead(view(6, readAt: 12)), at: Self.at(30)).publishes == nil)
    }

    @Test func `a kill is followed by a sweep and a fresh view`() {
        var coordinator = Coordinator(right: Self.me, joinedAt: .zero)
        _ = Self.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let accusations = Self.beat(&coordinator, from: 10_250, to: 10_500) { _ in 40 }
        guard let accusation = accusations.first else {
            Issue.record("nobody was accused")
            return
        }
        let effects = coordinator.step(.accusationAnswered(accusation, killed: true), at: Self.at(10_600))
        #expect(effects.sweeps)
        #expect(effects.readsView)
        #expect(coordinator.membership.watches.isEmpty)
    }
}

@Suite struct StandingTests {
    static let right = MembershipTests.me

    static func standing(after milliseconds: Int64, status: MemberStatus = .active, trouble: String? = nil)
        -> Standing
    {
        let knowledge = StandingRule.Knowledge(
            right: Self.right, status: status, configVersion: ConfigVersion(3), acknowledged: .zero,
            mountTrouble: trouble)
        return StandingRule.standing(knowledge, at: MembershipTests.at(milliseconds))
    }

    @Test func `standing decays with the silence of the database`() {
        #expect(Self.standing(after: 999) == .serving(Self.right, ConfigVersion(3)))
        #expect(Self.standing(after: 1_000) == .stale(Self.right))
        #expect(Self.standing(after: 3_999) == .stale(Self.right))
        #expect(Self.standing(after: 4_000) == .isolated(Self.right))
        #expect(Self.standing(after: 0, status: .draining) == .draining(Self.right, ConfigVersion(3)))
        #expect(Self.standing(after: 0, status: .dead) == .outside)
        #expect(StandingRule.standing(nil, at: .zero) == .outside)
    }

    @Test func `an isolated or sick node has no right`() {
        #expect(Self.standing(after: 4_000).right == nil)
        #expect(Self.standing(after: 0, trouble: "gone").right == nil)
        #expect(Self.standing(after: 2_000).right == Self.right)
        #expect(Self.standing(after: 2_000).configVersion == nil)
    }
}
