package import ClusterModel

/// What a node tells its balancers about itself.
package enum BalancerAnswer: Sendable, Equatable {
    /// Send requests, in proportion to this weight.
    case takes(percent: Int)
    /// Send nothing new, and let what runs go on.
    case drains
    /// Nothing runs here yet.
    case down(reason: String)

    /// - Parameters:
    ///   - hasJoined: the node was a member at least once since it was started.
    ///   - isStopping: the process was told to stop. Not `down`, which cuts sessions, a request on its way included;
    ///     when the node is gone the balancer sees that by itself.
    package init(standing: Standing, hasJoined: Bool, isStopping: Bool, percent: Int) {
        guard !isStopping else {
            self = .drains
            return
        }
        switch standing {
        case .serving: self = .takes(percent: max(1, min(100, percent)))
        case .draining, .stale, .isolated, .sick: self = .drains
        // One that was a member may still have downloads under way.
        case .outside: self = hasJoined ? .drains : .down(reason: "not a member yet")
        }
    }

    /// The line of HAProxy's agent protocol.
    ///
    /// Each says up or down, and ready or drain: HAProxy keeps what was said last of either kind.
    package var line: String {
        switch self {
        case .takes(let percent): "up ready \(percent)%\n"
        case .drains: "up drain\n"
        case .down(let reason): "ready down #\(reason)\n"
        }
    }
}
