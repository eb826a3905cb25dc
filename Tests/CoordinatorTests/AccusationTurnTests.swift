import ClusterModel
import Coordinator
import Testing

/// What follows a refused accusation: a paused member holds its lock until the slow window ends, or until somebody
/// kills it.
@Suite struct AccusationTurnTests {
    private static let target: Int64 = 99

    /// Everybody beats every 250 ms; member 99 stands still from 10 s on, and the store refuses all that `refuses`
    /// says.
    ///
    /// Answers when each accusation was made, in milliseconds, first one first.
    private static func accusations(
        members: Int64, paused: Set<Int64> = [], until end: Int64,
        refuses: (Int64) -> Bool = { _ in true }
    ) -> [(at: Int64, by: Int64)] {
        let accusers = Array(1...members)
        var coordinators = accusers.map { number in
            Coordinator(
                right: NodeRight(
                    slot: Slot(Int16(number)), incarnation: MembershipTests.incarnation(number),
                    name: MembershipTests.name("worker-\(number)")),
                joinedAt: .zero)
        }
        var made: [(at: Int64, by: Int64)] = []
        for beat in 1...(end / 250) {
            for (index, number) in accusers.enumerated() where !paused.contains(number) || beat <= 40 {
                // Each at a moment of its own within the period.
                let at = beat * 250 + number * 7
                let others = (accusers + [Self.target]).map { other in
                    let stands = other == Self.target || paused.contains(other)
                    return (other, stands ? min(beat, 40) : beat)
                }
                let news = MembershipTests.news(others)
                let now = MembershipTests.at(at)
                let effects = coordinators[index].step(.beatAnswered(news, sentAt: now), at: now)
                for accusation in effects.accusations {
                    let isTarget = accusation.targetIncarnation == MembershipTests.incarnation(Self.target)
                    if isTarget { made.append((at, number)) }
                    if isTarget, !refuses(at) { return made }
                    _ = coordinators[index].step(.accusationAnswered(accusation, killed: false), at: now)
                }
            }
        }
        return made
    }

    @Test func `everybody tries at the fast window, then all take turns, then everybody at the slow one`() {
        let made = Self.accusations(members: 19, until: 15_600)
        let first = made.filter { $0.at < 10_900 }
        #expect(Set(first.map(\.by)).count == 19)
        let between = made.filter { $0.at >= 10_900 && $0.at < 14_900 }
        #expect((12...20).contains(between.count), "\(between)")
        #expect(Set(between.map(\.by)).count >= 12)
        let last = made.filter { $0.at >= 14_900 }
        #expect(Set(last.map(\.by)).count == 19)
    }

    @Test(arguments: [1, 2, 4, 19] as [Int64])
    func `a lock that goes is tried again within three periods`(members: Int64) {
        for killed in stride(from: Int64(11_000), through: 14_500, by: 130) {
            let made = Self.accusations(members: members, until: 16_000) { $0 < killed }
            let took = made.last.map { $0.at - killed } ?? .max
            #expect(took <= 750, "killed at \(killed), accused \(took) ms later")
        }
    }

    @Test func `those who stand still themselves have no turn`() {
        let paused = Set<Int64>([2, 3, 4, 5, 6, 7, 8])
        for killed in stride(from: Int64(11_500), through: 14_500, by: 130) {
            let made = Self.accusations(members: 10, paused: paused, until: 16_000) { $0 < killed }
            let took = made.last.map { $0.at - killed } ?? .max
            #expect(took <= 750, "killed at \(killed), accused \(took) ms later")
        }
    }

    @Test func `a member that moved and stands still again is accused after the fast window`() {
        var coordinator = Coordinator(right: MembershipTests.me, joinedAt: .zero)
        _ = MembershipTests.beat(&coordinator, from: 250, to: 10_000) { $0 / 250 }
        let first = MembershipTests.beat(&coordinator, from: 10_250, to: 10_500) { _ in 40 }
        for accusation in first {
            _ = coordinator.step(
                .accusationAnswered(accusation, killed: false), at: MembershipTests.at(10_500))
        }
        #expect(MembershipTests.beat(&coordinator, from: 10_700, to: 11_000) { _ in 41 } == [])
        #expect(MembershipTests.beat(&coordinator, from: 11_200, to: 11_200) { _ in 41 }.count == 1)
    }
}
