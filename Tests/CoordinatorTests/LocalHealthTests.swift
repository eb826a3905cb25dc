import ClusterModel
import Coordinator
import Testing

/// How a node judges itself.
@Suite struct LocalHealthTests {
    private struct Node {
        var coordinator = Coordinator(right: MembershipTests.me, joinedAt: .zero)
        var now: Int64 = 0
        var status: MemberStatus = .active
        var wishes: [DrainWish] = []

        init(others: Int = 3) {
            let members = [(Int64(10), MemberStatus.active)] + (0..<others).map { (Int64(20 + $0), .active) }
            _ = self.coordinator.step(
                .viewRead(CandidacyTests.view(1, members, leader: (10, 1))), at: .zero)
        }

        /// Beats every 250 ms and probes every second; drains as it wishes.
        mutating func live(
            seconds: Double, late: Duration = .zero, trip: Int64 = 5, probe: Duration = .milliseconds(3),
            trouble: String? = nil
        ) {
            for turn in 0..<Int(4 * seconds) {
                self.now += 250
                let at = MembershipTests.at(self.now)
                self.step(.measured(.beatLeft(late: late)), at)
                if turn % 4 == 0 { self.step(.measured(.mountProbed(took: probe, trouble: trouble)), at) }
                var news = MembershipTests.news([])
                news.status = self.status
                self.step(.beatAnswered(news, sentAt: MembershipTests.at(self.now - trip)), at)
            }
        }

        private mutating func step(_ input: Coordinator.Input, _ at: ClusterInstant) {
            let effects = self.coordinator.step(input, at: at)
            guard let wish = effects.drain else { return }
            self.wishes.append(wish)
            self.status = wish == .end ? .active : .draining
            _ = self.coordinator.step(.drainAnswered(wish, done: true), at: at)
        }

        var share: Int { self.coordinator.health.share }
    }

    @Test func `a healthy node offers all that it has`() {
        var node = Node()
        node.live(seconds: 60, late: .milliseconds(30), trip: 100, probe: .milliseconds(200))
        #expect(node.share == 100)
        #expect(node.wishes.isEmpty)
        #expect(node.coordinator.health.reasons.isEmpty)
    }

    @Test func `a slow database takes the capacity to half and no further`() {
        var node = Node()
        node.live(seconds: 2, trip: 300)
        #expect(node.share < 100)
        node.live(seconds: 60, trip: 300)
        #expect(node.share == 50)
        #expect(node.wishes.isEmpty)
        #expect(node.coordinator.health.reasons == ["the database answers it slowly"])
        node.live(seconds: 12)
        #expect(node.share < 100)
        node.live(seconds: 20)
        #expect(node.share == 100)
    }

    @Test func `late timers end in a drain before others may accuse and it ends by itself`() {
        var node = Node()
        node.live(seconds: 5, late: .milliseconds(180))
        #expect(node.share == 10)
        #expect(node.wishes == [.begin(reason: "its timers are late")])
        node.live(seconds: 60, late: .milliseconds(180))
        #expect(node.wishes.count == 1)
        node.live(seconds: 40)
        #expect(node.share == 100)
        #expect(node.wishes == [.begin(reason: "its timers are late"), .end])
    }

    @Test func `a few bad measurements among good ones change nothing`() {
        var node = Node()
        for _ in 0..<20 {
            node.live(seconds: 0.75, trip: 900)
            #expect(node.share == 100)
            node.live(seconds: 2)
        }
        #expect(node.wishes.isEmpty)
    }

    @Test func `a missing mount drains at once`() {
        var node = Node()
        node.live(seconds: 1, trouble: "it is not mounted")
        #expect(node.wishes.isEmpty)
        node.live(seconds: 2, trouble: "it is not mounted")
        #expect(node.share == 10)
        #expect(node.wishes == [.begin(reason: "the mount: it is not mounted")])
    }

    @Test func `the last ones do not go away`() {
        var alone = Node(others: 0)
        alone.live(seconds: 30, late: .milliseconds(200))
        #expect(alone.share == 10)
        #expect(alone.wishes.isEmpty)
        var rest = Node(others: 3)
        let view = CandidacyTests.view(
            2, [(10, .active), (20, .draining), (21, .draining), (22, .active)], leader: (10, 1))
        _ = rest.coordinator.step(.viewRead(view), at: .zero)
        rest.live(seconds: 30, late: .milliseconds(200))
        #expect(rest.wishes.isEmpty)
    }

    @Test func `a drain that an operator undid stays undone until the node was well`() {
        var node = Node()
        node.live(seconds: 6, late: .milliseconds(180))
        #expect(node.wishes.count == 1)
        node.status = .active
        node.live(seconds: 30, late: .milliseconds(180))
        #expect(node.wishes.count == 1)
        node.live(seconds: 60)
        node.live(seconds: 6, late: .milliseconds(180))
        #expect(node.wishes.count == 2)
    }

    @Test func `an operator's drain is never ended by the node`() {
        var node = Node()
        node.status = .draining
        node.live(seconds: 30, late: .milliseconds(180))
        node.live(seconds: 60)
        #expect(node.wishes.isEmpty)
        #expect(node.share == 100)
    }

    @Test func `a drain of which nobody knows is ended all the same`() {
        var coordinator = Coordinator(right: MembershipTests.me, joinedAt: .zero)
        let view = CandidacyTests.view(1, [(10, .active), (20, .active)], leader: (10, 1))
        _ = coordinator.step(.viewRead(view), at: .zero)
        var now: Int64 = 0
        var wishes: [DrainWish] = []
        for turn in 0..<400 {
            now += 250
            let late: Duration = turn < 40 ? .milliseconds(200) : .zero
            _ = coordinator.step(.measured(.beatLeft(late: late)), at: MembershipTests.at(now))
            var news = MembershipTests.news([])
            news.status = wishes.isEmpty ? .active : .draining
            let effects = coordinator.step(
                .beatAnswered(news, sentAt: MembershipTests.at(now)), at: MembershipTests.at(now))
            guard let wish = effects.drain else { continue }
            wishes.append(wish)
            _ = coordinator.step(
                .drainAnswered(wish, done: wishes.count < 3 ? nil : true), at: MembershipTests.at(now))
        }
        #expect(wishes == [.begin(reason: "its timers are late"), .end, .end])
    }
}
