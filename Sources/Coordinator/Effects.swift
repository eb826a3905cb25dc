package import ClusterModel

/// Orders to the runtime, performed in the order of the fields.
package struct Effects: Sendable, Equatable {
    /// Guarded writes, one statement each; each is answered by an input.
    package var accusations: [Accusation] = []
    package var takesLead: LeadClaim?
    package var drain: DrainWish?
    /// The view that is known is out of date: read it.
    package var readsView = false
    /// A view to show to everybody; a successor of the last one.
    package var publishes: ClusterView?
    /// What the next heartbeats say of the own capacity: percent of what the node was set up for.
    package var capacityShare: Int?
    /// Somebody departed: clear what it left, now.
    package var sweeps = false
    /// This incarnation is dead: cancel everything and join again as a new one.
    package var ends = false
    /// When to say ``Coordinator/Input/woke``; nil for not before the next heartbeat's answer.
    package var wakeAt: ClusterInstant?

    package init() {}

    mutating func wake(at moment: ClusterInstant) {
        self.wakeAt = self.wakeAt.map { min($0, moment) } ?? moment
    }
}

/// A node's order about its own drain.
package enum DrainWish: Sendable, Hashable {
    /// Take nothing new, because of this.
    case begin(reason: String)
    /// Take work again; an operator's drain stays.
    case end
}
