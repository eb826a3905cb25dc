import ClusterModel
import ClusterPorts
import Synchronization

/// The lines of a node, with a stopwatch on each beat.
final class TimedLines: HeartbeatLines {
    private let lines: any HeartbeatLines
    private let beats = Mutex(LatencyHistogram())

    init(_ lines: any HeartbeatLines) { self.lines = lines }

    func open(for incarnation: Incarnation, within limit: Duration) throws(StoreError) -> any HeartbeatLine {
        TimedLine(try self.lines.open(for: incarnation, within: limit)) { took in
            self.beats.withLock { $0.record(took) }
        }
    }

    /// What was measured since the last call.
    func take() -> LatencyHistogram {
        self.beats.withLock { beats in
            defer { beats = LatencyHistogram() }
            return beats
        }
    }
}

/// Belongs to the thread that opened it.
private final class TimedLine: HeartbeatLine {
    private let line: any HeartbeatLine
    private let took: (Duration) -> Void

    init(_ line: any HeartbeatLine, took: @escaping (Duration) -> Void) {
        self.line = line
        self.took = took
    }

    func beat(_ pulse: Pulse, within limit: Duration) throws(StoreError) -> HeartbeatAnswer {
        let started = ContinuousClock.now
        let answer = try self.line.beat(pulse, within: limit)
        self.took(started.duration(to: .now))
        return answer
    }

    func check(within limit: Duration) throws(StoreError) { try self.line.check(within: limit) }

    func close() { self.line.close() }
}
