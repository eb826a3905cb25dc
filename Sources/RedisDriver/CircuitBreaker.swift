/// Decides when calls are worth their budget and when they are answered "absent" at once.
///
/// Performs nothing and reads no clock. A call that was not answered in time is a failure; a refusal by the
/// server is an answer. A cancelled call says nothing about the server.
package struct CircuitBreaker: Sendable, Equatable {
    package struct Settings: Sendable, Equatable {
        /// As many calls in a row without an answer open the circuit.
        package var failuresMax = 8
        /// How long it stays open before a probe goes out.
        package var rest: Duration = .milliseconds(100)

        package init(failuresMax: Int = 8, rest: Duration = .milliseconds(100)) {
            self.failuresMax = failuresMax
            self.rest = rest
        }
    }

    package enum State: Sendable, Equatable {
        /// There is no connection; calls are refused. Goes to `closed`.
        case disconnected
        /// Calls are admitted. Goes to `open` and `disconnected`.
        case closed(failures: Int)
        /// Calls are refused until a probe is due. Goes to `halfOpen` and `disconnected`.
        case open(probeAt: ContinuousClock.Instant)
        /// Calls are refused and one probe is out. Goes to `closed` and `disconnected`.
        case halfOpen
    }

    package private(set) var state: State = .disconnected
    let settings: Settings

    package init(_ settings: Settings = Settings()) {
        self.settings = settings
    }

    package enum OnConnected: Sendable, Equatable { case admitCalls }

    /// The greeting went through, which is as good as a probe.
    package mutating func connected() -> OnConnected {
        self.state = .closed(failures: 0)
        return .admitCalls
    }

    package mutating func disconnected() {
        self.state = .disconnected
    }

    /// A call was answered in time.
    package mutating func answered() {
        if case .closed = self.state { self.state = .closed(failures: 0) }
    }

    package enum OnFailed: Sendable, Equatable {
        case none
        /// The circuit opened just now.
        case refuseCalls(failures: Int)
    }

    /// A call was not answered in time.
    package mutating func failed(at now: ContinuousClock.Instant) -> OnFailed {
        guard case .closed(let before) = self.state else { return .none }
        let failures = before + 1
        guard failures >= self.settings.failuresMax else {
            self.state = .closed(failures: failures)
            return .none
        }
        self.state = .open(probeAt: now.advanced(by: self.settings.rest))
        return .refuseCalls(failures: failures)
    }

    /// When to call `tick`; nil when time alone changes nothing.
    package var probeAt: ContinuousClock.Instant? {
        if case .open(let probeAt) = self.state { return probeAt }
        return nil
    }

    package enum OnTick: Sendable, Equatable {
        case none
        case sendProbe
    }

    package mutating func tick(at now: ContinuousClock.Instant) -> OnTick {
        guard case .open(let probeAt) = self.state, probeAt <= now else { return .none }
        self.state = .halfOpen
        return .sendProbe
    }

    package enum OnProbe: Sendable, Equatable {
        case none
        case admitCalls
    }

    package mutating func probeAnswered() -> OnProbe {
        guard case .halfOpen = self.state else { return .none }
        self.state = .closed(failures: 0)
        return .admitCalls
    }

    // A probe that is not answered needs no input: the connection is given up then, see `disconnected`.
}
