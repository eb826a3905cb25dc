import RedisDriver
import Testing

private let start = ContinuousClock.now

@Suite struct CircuitBreakerTests {
    private func closed(failuresMax: Int = 3) -> CircuitBreaker {
        var breaker = CircuitBreaker(.init(failuresMax: failuresMax, rest: .milliseconds(100)))
        #expect(breaker.connected() == .admitCalls)
        return breaker
    }

    private func open() -> CircuitBreaker {
        var breaker = self.closed(failuresMax: 1)
        #expect(breaker.failed(at: start) == .refuseCalls(failures: 1))
        return breaker
    }

    @Test func `it opens at the last of the failures in a row and says so once`() {
        var breaker = self.closed()
        #expect(breaker.failed(at: start) == .none)
        #expect(breaker.failed(at: start) == .none)
        #expect(breaker.state == .closed(failures: 2))
        #expect(breaker.failed(at: start) == .refuseCalls(failures: 3))
        #expect(breaker.state == .open(probeAt: start.advanced(by: .milliseconds(100))))
        #expect(breaker.failed(at: start) == .none)
    }

    @Test func `an answer in between starts the count again`() {
        var breaker = self.closed()
        _ = breaker.failed(at: start)
        _ = breaker.failed(at: start)
        breaker.answered()
        #expect(breaker.failed(at: start) == .none)
        #expect(breaker.state == .closed(failures: 1))
    }

    @Test func `a probe goes out after the rest and only once`() {
        var breaker = self.open()
        #expect(breaker.tick(at: start.advanced(by: .milliseconds(99))) == .none)
        #expect(breaker.tick(at: start.advanced(by: .milliseconds(100))) == .sendProbe)
        #expect(breaker.state == .halfOpen)
        #expect(breaker.tick(at: start.advanced(by: .seconds(9))) == .none)
        #expect(breaker.probeAt == nil)
    }

    @Test func `only the answer to the probe closes it`() {
        var breaker = self.open()
        breaker.answered()
        #expect(breaker.probeAnswered() == .none)
        #expect(breaker.state == .open(probeAt: start.advanced(by: .milliseconds(100))))
        _ = breaker.tick(at: start.advanced(by: .milliseconds(100)))
        breaker.answered()
        #expect(breaker.state == .halfOpen)
        #expect(breaker.probeAnswered() == .admitCalls)
        #expect(breaker.state == .closed(failures: 0))
    }

    @Test func `without a connection nothing but a new one admits calls`() {
        var breaker = self.open()
        breaker.disconnected()
        #expect(breaker.tick(at: start.advanced(by: .seconds(1))) == .none)
        #expect(breaker.probeAnswered() == .none)
        #expect(breaker.failed(at: start) == .none)
        #expect(breaker.state == .disconnected)
        #expect(breaker.connected() == .admitCalls)
    }
}

@Suite struct BackoffTests {
    @Test func `waits double up to the longest and start again after a reset`() {
        var backoff = Backoff(shortest: .milliseconds(20), longest: .milliseconds(100))
        let waits = (0..<5).map { _ in backoff.next(chance: 1) }
        #expect(waits == [20, 40, 80, 100, 100].map { .milliseconds($0) })
        backoff.reset()
        #expect(backoff.next(chance: 1) == .milliseconds(20))
    }

    @Test func `chance takes away up to a half`() {
        var backoff = Backoff(shortest: .milliseconds(20), longest: .seconds(1))
        #expect(backoff.next(chance: 0) == .milliseconds(10))
    }

    @Test func `a thousand attempts do not overflow`() {
        var backoff = Backoff()
        for _ in 0..<1000 { #expect(backoff.next(chance: 1) <= .seconds(1)) }
    }
}
