package import ClusterModel

/// A connection of its own on which one thread beats; every call blocks, and never longer than its deadline.
///
/// Holds the incarnation's session advisory lock (shared) while it is connected. A second line, opened with
/// ``HeartbeatLines/open(for:within:)``, holds it too, so that one killed backend is no sign of death.
package protocol HeartbeatLine: AnyObject {
    /// One statement, not synchronised to disk: counts the heartbeat, keeps or restarts the chain, and answers
    /// what an idle node needs to know. A line that failed must not be used again; what may be left of its session,
    /// and the lock with it, stays until ``close()``.
    func beat(_ pulse: Pulse, within: Duration) throws(StoreError) -> HeartbeatAnswer

    /// Makes sure that the line still lives; for the lock holder, which beats nothing.
    func check(within: Duration) throws(StoreError)

    func close()
}

package protocol HeartbeatLines: Sendable {
    /// Connects and takes the lock. Blocks.
    func open(for incarnation: Incarnation, within: Duration) throws(StoreError) -> any HeartbeatLine
}

package struct Pulse: Sendable, Hashable {
    package var slot: Slot
    package var incarnation: Incarnation
    package var load: LoadSample
    package var capacity: Int

    package init(slot: Slot, incarnation: Incarnation, load: LoadSample, capacity: Int) {
        self.slot = slot
        self.incarnation = incarnation
        self.load = load
        self.capacity = capacity
    }
}

package enum HeartbeatAnswer: Sendable, Hashable {
    case alive(HeartbeatNews)
    /// No live row has this slot and incarnation: I am dead.
    case dead
}
