import ClusterModel
import ClusterPorts
import Foundation
import PostgresStore
import Synchronization

/// A thread that beats for an incarnation, on a line of its own, as a node's does; and holds a line without a beat.
final class BeatingThread: Sendable {
    private struct State {
        var right: NodeRight?
        var isOpen = false
        var isStopped = false
        var hasEnded = false
    }

    private let state = Mutex(State())

    init(_ lines: PostgresHeartbeatLines, for incarnation: Incarnation, every period: Duration) {
        let thread = Thread { self.run(lines, incarnation, every: period / .seconds(1)) }
        thread.name = "beats"
        thread.start()
    }

    /// The line is open, so the lock is held.
    var isOpen: Bool { self.state.withLock { $0.isOpen } }

    /// The node has joined.
    func begin(_ right: NodeRight) { self.state.withLock { $0.right = right } }

    func stop() { self.state.withLock { $0.isStopped = true } }

    private func run(_ lines: PostgresHeartbeatLines, _ incarnation: Incarnation, every seconds: Double) {
        var line: (any HeartbeatLine)?
        while !self.state.withLock({ $0.isStopped }) {
            do {
                let open = try line ?? lines.open(for: incarnation, within: .seconds(5))
                line = open
                self.state.withLock { $0.isOpen = true }
                if let right = self.state.withLock({ $0.right }) {
                    let pulse = Pulse(
                        slot: right.slot, incarnation: right.incarnation, load: .idle, capacity: 100)
                    if try open.beat(pulse, within: .seconds(1)) == .dead { break }
                }
            } catch {
                line = nil
            }
            Pace.block(seconds: seconds)
        }
        line?.close()
    }
}
