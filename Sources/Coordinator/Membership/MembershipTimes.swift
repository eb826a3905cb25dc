/// The times of membership.
///
/// The chain's gap must stay below the fast window, or the first node back after a
/// restart of the database evicts the second.
package struct MembershipTimes: Sendable, Equatable {
    /// Between two heartbeats.
    package var heartbeatPeriod: Duration
    /// How long one heartbeat may take before its connection is given up.
    package var heartbeatDeadline: Duration
    /// The longest time between two heartbeats of an unbroken chain, by the database's clock.
    package var chainGap: Duration
    /// Standing still for so long is death when nobody holds the member's advisory lock (crash).
    package var fastWindow: Duration
    /// Standing still for so long is death in any case (pause, partition).
    package var slowWindow: Duration
    /// Without an acknowledged heartbeat for so long, a node answers new requests with 503.
    package var staleAfter: Duration
    /// Without one for so long, a node claims and publishes nothing: the slow window less a second.
    package var isolatedAfter: Duration
    /// How old the load that a view shows may become.
    package var viewRefresh: Duration

    package static let standard = MembershipTimes(
        heartbeatPeriod: .milliseconds(250), heartbeatDeadline: .seconds(1), chainGap: .milliseconds(450),
        fastWindow: .milliseconds(500), slowWindow: .seconds(5), staleAfter: .seconds(1),
        isolatedAfter: .seconds(4), viewRefresh: .seconds(5))

    package init(
        heartbeatPeriod: Duration, heartbeatDeadline: Duration, chainGap: Duration, fastWindow: Duration,
        slowWindow: Duration, staleAfter: Duration, isolatedAfter: Duration,
        viewRefresh: Duration
    ) {
        self.heartbeatPeriod = heartbeatPeriod
        self.heartbeatDeadline = heartbeatDeadline
        self.chainGap = chainGap
        self.fastWindow = fastWindow
        self.slowWindow = slowWindow
        self.staleAfter = staleAfter
        self.isolatedAfter = isolatedAfter
        self.viewRefresh = viewRefresh
    }
}
