/// The times of membership, for those who decide and for the statements.
///
/// The chain's gap must stay below the fast window, or the first node back after a restart of the database
/// evicts the second.
package struct MembershipTimes: Sendable, Hashable {
    /// Between two heartbeats.
    package var heartbeatPeriod: Duration
    /// How long one heartbeat may take before its connection is given up.
    package var heartbeatDeadline: Duration
    /// The longest time between two heartbeats of an unbroken chain, by the database's clock.
    package var chainGap: Duration
    /// Standing still for so long is death when nobody holds the member's advisory lock (crash).
    package var fastWindow: Duration
    /// Standing still for so long is death in any case (pause, partition); also how long an accuser's own chain
    /// must be.
    package var slowWindow: Duration
    /// Without an acknowledged heartbeat for so long, a node answers new requests with 503.
    package var staleAfter: Duration
    /// Without one for so long, a node claims and publishes nothing: the slow window less a second.
    package var isolatedAfter: Duration
    /// How old the load that a view shows may become.
    package var viewRefresh: Duration
    /// How long a live member keeps others from a departure that it claimed.
    package var claimWindow: Duration

    package static let standard = MembershipTimes()

    package init(
        heartbeatPeriod: Duration = .milliseconds(250), heartbeatDeadline: Duration = .seconds(1),
        chainGap: Duration = .milliseconds(450), fastWindow: Duration = .milliseconds(500),
        slowWindow: Duration = .seconds(5), staleAfter: Duration = .seconds(1),
        isolatedAfter: Duration = .seconds(4), viewRefresh: Duration = .seconds(5),
        claimWindow: Duration = .seconds(30)
    ) {
        precondition(
            chainGap < fastWindow && fastWindow < slowWindow, "\(chainGap), \(fastWindow), \(slowWindow)")
        self.heartbeatPeriod = heartbeatPeriod
        self.heartbeatDeadline = heartbeatDeadline
        self.chainGap = chainGap
        self.fastWindow = fastWindow
        self.slowWindow = slowWindow
        self.staleAfter = staleAfter
        self.isolatedAfter = isolatedAfter
        self.viewRefresh = viewRefresh
        self.claimWindow = claimWindow
    }
}
