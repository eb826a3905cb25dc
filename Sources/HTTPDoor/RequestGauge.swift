package import ClusterModel
import ClusterPorts
import Synchronization

/// Counts the requests that the doors of this node have in hand.
package final class RequestGauge: LoadMeter {
    private let inFlight = Atomic(0)
    private let capacity: Int

    /// - Parameter capacity: How many make the node full.
    package init(capacity: Int) { self.capacity = max(1, capacity) }

    package func begin() { self.inFlight.add(1, ordering: .relaxed) }
    package func end() { self.inFlight.subtract(1, ordering: .relaxed) }

    package func sample() -> LoadSample {
        let count = self.inFlight.load(ordering: .relaxed)
        return LoadSample(inFlight: count, load: Float(count) / Float(self.capacity))
    }
}
