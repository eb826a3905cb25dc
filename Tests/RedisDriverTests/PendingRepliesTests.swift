import RedisDriver
import Testing

private let start = ContinuousClock.now
private func after(_ milliseconds: Int) -> ContinuousClock.Instant {
    start.advanced(by: .milliseconds(milliseconds))
}

@Suite struct PendingRepliesTests {
    private func three() -> PendingReplies<String> {
        var pending = PendingReplies<String>()
        pending.append("a", number: 7, deadline: after(10))
        pending.append("b", number: 8, deadline: after(30))
        pending.append("c", number: 9, deadline: after(20))
        return pending
    }

    @Test func `replies find their waiters in order`() {
        var pending = self.three()
        for expected in ["a", "b", "c"] {
            guard case .deliver(expected) = pending.replied() else {
                Issue.record("not delivered to \(expected)")
                return
            }
        }
        guard case .unexpected = pending.replied() else {
            Issue.record("a fourth reply found a waiter")
            return
        }
    }

    @Test func `an abandoned place swallows its own late reply and no other`() {
        var pending = self.three()
        #expect(pending.abandon(8) == "b")
        #expect(pending.abandon(8) == nil)
        guard case .deliver("a") = pending.replied(), case .late = pending.replied(),
            case .deliver("c") = pending.replied()
        else {
            Issue.record("a reply went to the wrong waiter")
            return
        }
    }

    @Test func `numbers outside are nobody's`() {
        var pending = self.three()
        _ = pending.replied()
        #expect(pending.abandon(7) == nil)
        #expect(pending.abandon(10) == nil)
        #expect(pending.abandon(9) == "c")
    }

    @Test func `deadlines expire out of order and the next one is known`() {
        var pending = self.three()
        #expect(pending.nextDeadline == after(10))
        #expect(pending.expire(at: after(9)) == [])
        #expect(pending.expire(at: after(20)) == ["a", "c"])
        #expect(pending.nextDeadline == after(30))
        #expect(pending.count == 3)
        #expect(pending.expire(at: after(30)) == ["b"])
        #expect(pending.nextDeadline == nil)
    }

    @Test func `the end answers those who still wait, once`() {
        var pending = self.three()
        _ = pending.abandon(8)
        #expect(pending.removeAll() == ["a", "c"])
        #expect(pending.count == 0)
        pending.append("d", number: 20, deadline: after(40))
        #expect(pending.abandon(20) == "d")
    }
}
