package import ClusterModel
package import ClusterPorts
import Synchronization

/// Counts the requests that the doors of this node have in hand, how quickly they are answered, and what was refused.
package final class RequestGauge: IngressMeter {
    /// Which bound refused a request.
    package enum Bound: Sendable, CaseIterable {
        /// Requests that the node takes on at a time.
        case node
        /// Requests of one account.
        case account
        /// Uploads, or changes of names, that the node takes on at a time.
        case work
    }

    package struct Refusals: Sendable, Hashable {
        package var node = 0
        package var account = 0
        package var work = 0
    }

    package let capacity: Int
    private let inFlight = Atomic(0)
    private let answered = Atomic<Int64>(0)
    private let nanoseconds = Atomic<Int64>(0)
    private let byNode = Atomic(0)
    private let byAccount = Atomic(0)
    private let byWork = Atomic(0)

    /// - Parameter capacity: How many make the node full.
    package init(capacity: Int) { self.capacity = max(1, capacity) }

    package func begin() { self.inFlight.add(1, ordering: .relaxed) }
    package func end() { self.inFlight.subtract(1, ordering: .relaxed) }

    /// Counts one more unless so many are in hand already; false counts the refusal instead.
    package func begin(atMost limit: Int) -> Bool {
        guard self.inFlight.add(1, ordering: .relaxed).newValue <= limit else {
            self.end()
            self.refused(by: .node)
            return false
        }
        return true
    }

    package func sample() -> LoadSample {
        let count = self.inFlight.load(ordering: .relaxed)
        return LoadSample(inFlight: count, load: Float(count) / Float(self.capacity))
    }

    /// A request that had nothing to receive was answered in that time.
    package func answered(in time: Duration) {
        self.answered.add(1, ordering: .relaxed)
        self.nanoseconds.add(time.wholeNanoseconds, ordering: .relaxed)
    }

    package func quickAnswers() -> QuickAnswers {
        QuickAnswers(
            count: self.answered.load(ordering: .relaxed),
            nanoseconds: self.nanoseconds.load(ordering: .relaxed))
    }

    package func refused(by bound: Bound) {
        switch bound {
        case .node: self.byNode.add(1, ordering: .relaxed)
        case .account: self.byAccount.add(1, ordering: .relaxed)
        case .work: self.byWork.add(1, ordering: .relaxed)
        }
    }

    /// Since the node was started.
    package func refusals() -> Refusals {
        Refusals(
            node: self.byNode.load(ordering: .relaxed), account: self.byAccount.load(ordering: .relaxed),
            work: self.byWork.load(ordering: .relaxed))
    }
}
