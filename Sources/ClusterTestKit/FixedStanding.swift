package import ClusterModel
import ClusterPorts
import Synchronization

/// What a node knows of itself, as the test says it.
package final class FixedStanding: NodeStanding {
    private struct State {
        var standing: Standing
        var view: ClusterView?
        var sweepDue = false
        var leaseLosses: Int64 = 0
        var jobNews: Int64 = 0
        var shardNews: Int64 = 0
        var watchers: [AsyncStream<Void>.Continuation] = []
    }
    private let state: Mutex<State>

    package init(_ standing: Standing, view: ClusterView? = nil) {
        self.state = Mutex(State(standing: standing, view: view))
    }

    /// Serving with a right, at a configuration version.
    package convenience init(_ right: NodeRight, at version: ConfigVersion = ConfigVersion(0)) {
        self.init(.serving(right, version))
    }

    package func standing() -> Standing { self.state.withLock { $0.standing } }
    package func view() -> ClusterView? { self.state.withLock { $0.view } }
    package func sweepDue() -> Bool { self.state.withLock { $0.sweepDue } }
    package func leaseLosses() -> Int64 { self.state.withLock { $0.leaseLosses } }
    package func jobNews() -> Int64 { self.state.withLock { $0.jobNews } }
    package func shardNews() -> Int64 { self.state.withLock { $0.shardNews } }

    package func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.state.withLock { $0.watchers.append(continuation) }
        return stream
    }

    package func set(_ standing: Standing) { self.change { $0.standing = standing } }
    package func set(view: ClusterView?) { self.change { $0.view = view } }
    package func set(sweepDue: Bool) { self.change { $0.sweepDue = sweepDue } }
    package func set(leaseLosses: Int64) { self.change { $0.leaseLosses = leaseLosses } }
    package func set(jobNews: Int64) { self.change { $0.jobNews = jobNews } }
    package func set(shardNews: Int64) { self.change { $0.shardNews = shardNews } }

    private func change(_ body: (inout State) -> Void) {
        let watchers = self.state.withLock { state in
            body(&state)
            return state.watchers
        }
        for watcher in watchers { watcher.yield() }
    }
}
