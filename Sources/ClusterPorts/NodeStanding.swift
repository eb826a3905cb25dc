package import ClusterModel

/// The right to take part, valid while the incarnation lives. It is checked again by the statement that commits (R3).
package struct NodeRight: Sendable, Hashable {
    package var slot: Slot
    package var incarnation: Incarnation
    package var name: NodeName

    package init(slot: Slot, incarnation: Incarnation, name: NodeName) {
        self.slot = slot
        self.incarnation = incarnation
        self.name = name
    }
}

/// How a node stands with its cluster at one moment.
package enum Standing: Sendable, Hashable {
    /// Not a member yet, or not any more.
    case outside
    /// A heartbeat was acknowledged less than a second ago. Everything is allowed.
    case serving(NodeRight, ConfigVersion)
    /// As `serving`, but asked to take nothing new.
    case draining(NodeRight, ConfigVersion)
    /// No heartbeat was acknowledged for a second: new requests get 503, running ones go on.
    case stale(NodeRight)
    /// None for the slow window less a second: nothing is claimed or published.
    case isolated(NodeRight)

    /// The right to begin or to commit something; nil where neither is allowed.
    package var right: NodeRight? {
        switch self {
        case .serving(let right, _), .draining(let right, _), .stale(let right): right
        case .outside, .isolated: nil
        }
    }

    /// What the node knows at least, where that knowledge may be relied on.
    package var configVersion: ConfigVersion? {
        switch self {
        case .serving(_, let version), .draining(_, let version): version
        case .outside, .stale, .isolated: nil
        }
    }
}

/// What a node knows of itself and of its cluster, without asking the database.
package protocol NodeStanding: Sendable {
    /// Judged against the clock at this very call, so that a woken node never believes what it knew before its sleep.
    func standing() -> Standing

    /// The last published view; nil before the first join.
    func view() -> ClusterView?

    /// One element after each change of view, standing, configuration version or due sweep; only the newest is kept.
    func changes() -> AsyncStream<Void>

    /// Whether the last heartbeat's answer said that somebody departed and is not cleared.
    func sweepDue() -> Bool
}

/// Counts what a node has in hand; its numbers go out with the heartbeats.
package protocol LoadMeter: Sendable {
    func sample() -> LoadSample
}
