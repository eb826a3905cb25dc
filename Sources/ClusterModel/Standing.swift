/// The right to take part, valid while the incarnation lives.
///
/// It is checked again by the statement that commits (R3).
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
    /// The mount is missing, foreign, read-only or hangs: nothing begins, and nothing is published.
    case sick(NodeRight, reason: String)

    /// The right to begin or to commit something; nil where neither is allowed.
    package var right: NodeRight? {
        switch self {
        case .serving(let right, _), .draining(let right, _), .stale(let right): right
        case .outside, .isolated, .sick: nil
        }
    }

    /// What the node knows at least, where that knowledge may be relied on.
    package var configVersion: ConfigVersion? {
        switch self {
        case .serving(_, let version), .draining(_, let version): version
        case .outside, .stale, .isolated, .sick: nil
        }
    }
}
