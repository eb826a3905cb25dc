package import ClusterModel

/// Decides when a node takes the lead, and whether it leads at this moment.
///
/// A node takes the lead when the view that it knows names nobody who lives; a compare-and-set on the term
/// decides who of many gets it. Whoever drains does not take it, but keeps it until it goes. What is believed here
/// is only when to try: a leader's write checks its term and its life in the statement.
package struct Candidacy: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// No view was read yet, or somebody leads. Goes to `vacant`.
        case filled
        /// Nobody leads. Goes to `claimed` or `filled`.
        case vacant
        /// A claim is with the store. Goes to `vacant` or `filled`.
        case claimed
    }

    package private(set) var state: State = .filled
    /// As the newest view has it.
    package private(set) var known: Leadership?
    private let right: NodeRight
    private let isolatedAfter: Duration
    private var status: MemberStatus = .active
    /// When the newest acknowledged heartbeat left.
    private var acknowledged: ClusterInstant

    init(right: NodeRight, joinedAt now: ClusterInstant, times: MembershipTimes) {
        self.right = right
        self.isolatedAfter = times.isolatedAfter
        self.acknowledged = now
    }

    mutating func beatAnswered(
        _ news: HeartbeatNews, sentAt: ClusterInstant, at now: ClusterInstant, _ effects: inout Effects
    ) {
        self.status = news.status
        self.acknowledged = max(self.acknowledged, sentAt)
        self.claim(at: now, &effects)
    }

    /// A successor of the last view.
    mutating func viewPublished(_ view: ClusterView, at now: ClusterInstant, _ effects: inout Effects) {
        self.known = view.leader
        let next: State = self.state == .claimed ? .claimed : .vacant
        self.state = view.livingLeader == nil ? next : .filled
        self.claim(at: now, &effects)
    }

    /// - Parameter taken: nil when somebody else was faster, or nobody knows; a fresh view tells.
    mutating func leadAnswered(_ claim: LeadClaim, taken: Leadership?, _ effects: inout Effects) {
        guard self.state == .claimed else { return }
        effects.readsView = true
        guard let taken else {
            self.state = .vacant
            return
        }
        self.known = taken
        self.state = .filled
    }

    /// What a leader's writes must carry; nil when this node does not lead or is isolated.
    package func leading(at now: ClusterInstant) -> LeaderRight? {
        guard self.state == .filled, let known = self.known, known.incarnation == self.right.incarnation,
            now.since(self.acknowledged) < self.isolatedAfter
        else { return nil }
        return LeaderRight(right: self.right, term: known.term)
    }

    private mutating func claim(at now: ClusterInstant, _ effects: inout Effects) {
        guard self.state == .vacant, self.status == .active,
            now.since(self.acknowledged) < self.isolatedAfter
        else { return }
        self.state = .claimed
        effects.takesLead = LeadClaim(right: self.right, term: self.known?.term ?? 0)
    }
}
