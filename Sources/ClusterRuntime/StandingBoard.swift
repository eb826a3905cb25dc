package import ClusterModel
import ClusterPorts
import Coordinator
import Synchronization

/// Where a node's standing and the published view hang for everybody to read, without asking anybody.
///
/// The heartbeat's thread writes what was acknowledged; ``standing()`` judges it against the clock at each call.
package final class StandingBoard: NodeStanding {
    private struct State {
        var knowledge: StandingRule.Knowledge?
        var view: ClusterView?
        var sweepDue = false
        var leaseLosses: Int64 = 0
        var capacityShare = 100
        var jobNews: Int64 = 0
        var shardNews: Int64 = 0
        var mountTrouble: String?
        var everJoined = false
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextListener = 0
    }

    private let state = Mutex(State())
    private let times: MembershipTimes

    package init(times: MembershipTimes = .standard) { self.times = times }

    package func standing() -> Standing {
        let knowledge = self.state.withLock { state in
            var knowledge = state.knowledge
            knowledge?.mountTrouble = state.mountTrouble
            return knowledge
        }
        return StandingRule.standing(knowledge, at: SteadyClock.now(), times: self.times)
    }

    package func view() -> ClusterView? { self.state.withLock { $0.view } }

    package func sweepDue() -> Bool { self.state.withLock { $0.sweepDue } }

    package func leaseLosses() -> Int64 { self.state.withLock { $0.leaseLosses } }

    package func capacityShare() -> Int { self.state.withLock { $0.capacityShare } }

    package func jobNews() -> Int64 { self.state.withLock { $0.jobNews } }

    package func shardNews() -> Int64 { self.state.withLock { $0.shardNews } }

    /// What a leader's writes must carry; nil when this node does not lead, or may claim nothing at this moment.
    package func leading() -> LeaderRight? {
        guard let right = self.standing().right, let leader = self.view()?.leader,
            leader.incarnation == right.incarnation
        else { return nil }
        return LeaderRight(right: right, term: leader.term)
    }

    /// Whether the node has been a member at least once since it started.
    package func everJoined() -> Bool { self.state.withLock { $0.everJoined } }

    package func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = self.state.withLock { state in
            state.nextListener += 1
            state.listeners[state.nextListener] = continuation
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.listeners[number] = nil }
        }
        return stream
    }

    // MARK: What the runtime writes

    func joined(_ right: NodeRight, at sentAt: ClusterInstant, configVersion: ConfigVersion) {
        self.change { state in
            state.knowledge = StandingRule.Knowledge(
                right: right, status: .active, configVersion: configVersion, acknowledged: sentAt)
            state.everJoined = true
            state.leaseLosses = 0
            state.capacityShare = 100
            return true
        }
    }

    func acknowledged(_ news: HeartbeatNews, sentAt: ClusterInstant, incarnation: Incarnation) {
        self.change { state in
            guard var knowledge = state.knowledge, knowledge.right.incarnation == incarnation else {
                return false
            }
            let changed =
                knowledge.status != news.status || knowledge.configVersion != news.configVersion
                || state.sweepDue != news.sweepDue || state.leaseLosses != news.leaseLosses
                || state.jobNews != news.jobNews || state.shardNews != news.shardNews
            knowledge.status = news.status
            knowledge.configVersion = max(knowledge.configVersion, news.configVersion)
            knowledge.acknowledged = sentAt
            state.knowledge = knowledge
            state.sweepDue = news.sweepDue
            state.leaseLosses = news.leaseLosses
            state.jobNews = news.jobNews
            state.shardNews = news.shardNews
            return changed
        }
    }

    func ended(_ incarnation: Incarnation) {
        self.change { state in
            guard state.knowledge?.right.incarnation == incarnation else { return false }
            state.knowledge = nil
            return true
        }
    }

    func publish(_ view: ClusterView) {
        self.change { state in
            state.view = view
            return true
        }
    }

    /// What the node's own health leaves of its capacity; nobody waits for it.
    func offers(percent: Int) {
        self.change { state in
            state.capacityShare = percent
            return false
        }
    }

    func wantsSweep() {
        self.change { state in
            state.sweepDue = true
            return true
        }
    }

    /// Answers whether it changed.
    @discardableResult
    func mount(_ trouble: String?) -> Bool {
        self.change { state in
            let changed = state.mountTrouble != trouble
            state.mountTrouble = trouble
            return changed
        }
    }

    @discardableResult
    private func change(_ body: (inout sending State) -> Bool) -> Bool {
        let (changed, listeners) = self.state.withLock { state -> (Bool, [AsyncStream<Void>.Continuation]) in
            let changed = body(&state)
            return (changed, changed ? Array(state.listeners.values) : [])
        }
        for listener in listeners { listener.yield() }
        return changed
    }
}
