import ClusterModel
import ClusterPorts

extension NodeStanding {
    /// What a leader's writes must carry; nil when this node does not lead, or may do nothing at this moment.
    func leaderRight() -> LeaderRight? {
        guard let right = self.standing().right, let leader = self.view()?.leader,
            leader.incarnation == right.incarnation
        else { return nil }
        return LeaderRight(right: right, term: leader.term)
    }

    /// Nobody whom this node knows leads.
    var isLeaderless: Bool { self.view()?.livingLeader == nil }
}
