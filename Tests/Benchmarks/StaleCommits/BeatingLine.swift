import ClusterModel
import ClusterPorts
import Dispatch
import PostgresStore

/// A connection on which heartbeats of one victim after the other are tried; every call blocks its own thread only.
final class BeatingLine: Sendable {
    private let queue = DispatchQueue(label: "beats")
    private let box: LineBox

    /// Touched on the queue only.
    private final class LineBox: @unchecked Sendable {
        var line: (any HeartbeatLine)?
        let lines: PostgresHeartbeatLines

        init(_ lines: PostgresHeartbeatLines) { self.lines = lines }
    }

    /// - Parameter lock: the number whose lock it holds; nobody's, so that no victim's is held.
    private let lock: Incarnation

    init(_ lines: PostgresHeartbeatLines, lock: Incarnation) {
        self.box = LineBox(lines)
        self.lock = lock
    }

    /// Whether it was counted.
    func beat(for right: NodeRight) async throws -> Bool {
        let pulse = Pulse(slot: right.slot, incarnation: right.incarnation, load: .idle, capacity: 100)
        return try await withCheckedThrowingContinuation { continuation in
            self.queue.async { [box, lock] in
                continuation.resume(
                    with: Result {
                        let line = try box.line ?? box.lines.open(for: lock, within: .seconds(10))
                        box.line = nil
                        let answer = try line.beat(pulse, within: .seconds(10))
                        box.line = line
                        return answer != .dead
                    })
            }
        }
    }

    func close() {
        self.queue.async { [box] in
            box.line?.close()
            box.line = nil
        }
    }
}
