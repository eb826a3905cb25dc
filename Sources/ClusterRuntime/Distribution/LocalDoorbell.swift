import ClusterPorts

/// The doorbell of a node that hears nobody else: what it enqueued itself it takes at once, of others' the heartbeats
/// tell.
package struct LocalDoorbell: Doorbell {
    private let bell = Bell()

    package init() {}

    package func ring() { self.bell.ring() }
    package func rings() -> AsyncStream<Void> { self.bell.listen() }
}
