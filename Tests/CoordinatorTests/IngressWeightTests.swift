import ClusterModel
import Coordinator
import Testing

/// What a node asks of its balancers.
@Suite struct IngressWeightTests {
    /// A node that is looked at four times a second.
    private struct Node {
        var weight = IngressWeight()
        var now: Int64 = 0
        var seen: [Int] = []

        mutating func live(
            seconds: Double, inFlight: Int = 10, capacity: Int = 1_000, share: Int = 100, answers: Int = 50,
            milliseconds: Double = 3
        ) {
            for _ in 0..<Int(seconds * 4) {
                self.now += 250
                self.weight.looked(
                    IngressSample(
                        inFlight: inFlight, capacity: capacity, share: share, answered: answers,
                        took: .nanoseconds(Int64(milliseconds * 1_000_000 * Double(answers)))),
                    at: ClusterInstant(nanoseconds: self.now * 1_000_000))
                self.seen.append(self.weight.percent)
            }
        }
    }

    @Test func `a node with little to do takes all it is given`() {
        var node = Node()
        node.live(seconds: 20)
        #expect(node.weight.percent == 100)
    }

    @Test func `requests in flight take their part of the weight`() {
        var node = Node()
        node.live(seconds: 30, inFlight: 500)
        #expect((45...60).contains(node.weight.percent), "\(node.weight.percent)")
        node.live(seconds: 30, inFlight: 1_000)
        #expect(node.weight.percent < 10, "\(node.weight.percent)")
        node.live(seconds: 60, inFlight: 5_000)
        #expect((1...3).contains(node.weight.percent))
    }

    @Test func `a node that became ten times slower is left with little within three seconds`() {
        var node = Node()
        node.live(seconds: 10, milliseconds: 8)
        node.live(seconds: 3, milliseconds: 80)
        #expect(node.weight.percent <= 10, "\(node.weight.percent)")
        node.live(seconds: 10, milliseconds: 80)
        #expect((1...9).contains(node.weight.percent), "\(node.weight.percent)")
    }

    @Test func `a node that was slow from the start has no other measure than what is slow for everybody`() {
        var node = Node()
        node.live(seconds: 10, milliseconds: 300)
        #expect(node.weight.percent < 10, "\(node.weight.percent)")
    }

    @Test func `quick is quick, whatever it was before`() {
        var node = Node()
        node.live(seconds: 10, milliseconds: 0.2)
        node.live(seconds: 10, milliseconds: 5)
        #expect(node.weight.percent == 100)
    }

    @Test func `latency comes second: it never takes everything`() {
        var node = Node()
        node.live(seconds: 60, milliseconds: 5_000)
        let slow = node.weight.percent
        node.live(seconds: 60, inFlight: 900, milliseconds: 5_000)
        #expect(slow > node.weight.percent && node.weight.percent >= 1, "\(slow) \(node.weight.percent)")
    }

    @Test func `small changes are not told`() {
        var node = Node()
        node.live(seconds: 20, inFlight: 300)
        let before = node.weight.percent
        node.seen = []
        for turn in 0..<40 { node.live(seconds: 1, inFlight: turn % 2 == 0 ? 280 : 320) }
        #expect(Set(node.seen) == [before])
    }

    @Test func `it falls at once and rises slowly to the whole`() {
        var node = Node()
        node.live(seconds: 10)
        node.live(seconds: 5, milliseconds: 500)
        #expect(node.weight.percent < 10)
        node.live(seconds: 5)
        #expect(node.weight.percent < 35, "\(node.weight.percent)")
        node.live(seconds: 40)
        #expect(node.weight.percent == 99, "\(node.weight.percent)")
    }

    @Test func `a node that gets nothing is tried again`() {
        var node = Node()
        node.live(seconds: 10)
        node.live(seconds: 10, milliseconds: 500)
        #expect(node.weight.percent < 10)
        node.live(seconds: 120, answers: 0)
        #expect(node.weight.percent == 99)
    }

    @Test func `one slow answer among few says little`() {
        var node = Node()
        node.live(seconds: 10)
        node.live(seconds: 0.25, answers: 1, milliseconds: 200)
        #expect(node.weight.percent == 100)
    }

    @Test func `what the node's own health leaves is all that it offers`() {
        var node = Node()
        node.live(seconds: 5)
        node.live(seconds: 5, share: 25)
        #expect((20...26).contains(node.weight.percent), "\(node.weight.percent)")
    }

    @Test func `two looks at the same moment do no harm`() {
        var node = Node()
        node.live(seconds: 1)
        let before = node.weight
        node.weight.looked(
            IngressSample(inFlight: 9_999, capacity: 1, answered: 0, took: .zero),
            at: ClusterInstant(nanoseconds: node.now * 1_000_000))
        #expect(node.weight == before)
    }

    @Test func `each standing has its line`() throws {
        let incarnation = try #require(Incarnation(rawValue: 1))
        let name = try #require(NodeName("worker-1"))
        let right = NodeRight(slot: Slot(1), incarnation: incarnation, name: name)
        func line(_ standing: Standing, joined: Bool = true, stopping: Bool = false, _ percent: Int = 75)
            -> String
        {
            BalancerAnswer(standing: standing, hasJoined: joined, isStopping: stopping, percent: percent).line
        }
        #expect(line(.serving(right, ConfigVersion(1))) == "up ready 75%\n")
        #expect(line(.serving(right, ConfigVersion(1)), 0) == "up ready 1%\n")
        #expect(line(.draining(right, ConfigVersion(1))) == "up drain\n")
        #expect(line(.stale(right)) == "up drain\n")
        #expect(line(.isolated(right)) == "up drain\n")
        #expect(line(.sick(right, reason: "gone")) == "up drain\n")
        #expect(line(.outside) == "up drain\n")
        #expect(line(.outside, joined: false) == "ready down #not a member yet\n")
        #expect(line(.serving(right, ConfigVersion(1)), stopping: true) == "up drain\n")
    }
}
