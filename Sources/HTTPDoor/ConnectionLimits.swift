package import NIOCore
import Synchronization

/// The bounds of one door's connections.
package struct ConnectionLimits: Sendable {
    /// Connections that are served; a request on one more gets 503.
    package var connections = 1_024
    /// A client that sends nothing for so long, within a request or between two, is cut.
    package var idle = TimeAmount.seconds(60)
    /// A client whose first request's head is not whole so long after it connected is cut; for a later one it
    /// is `idle` after the answer before.
    package var head = TimeAmount.seconds(20)
    /// A client that takes nothing of an answer for so long is cut.
    package var stalled = TimeAmount.seconds(120)
    /// How much of a refused request's body is read and dropped so that the client sees the answer.
    package var drainBytes = 256 << 20
    package var drainTime = TimeAmount.seconds(10)

    package init() {}
}

/// Counts a door's open connections.
final class ConnectionGauge: Sendable {
    private let open = Atomic(0)
    let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Counts one more; false when it is above the limit.
    func opened() -> Bool { self.open.add(1, ordering: .relaxed).newValue <= self.limit }

    func closed() { self.open.subtract(1, ordering: .relaxed) }
}
