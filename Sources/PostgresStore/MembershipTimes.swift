/// The windows of membership as the statements apply them, by the database's clock.
package struct MembershipTimes: Sendable, Hashable {
    /// A longer pause between two heartbeats breaks the chain.
    ///
    /// Below the fast window, or else the first node
    /// that is back after a restart of the database evicts the second.
    package var chainGap: Duration
    /// How long a member is silent before it is dead, when nobody holds its advisory lock any more.
    package var fastWindow: Duration
    /// The same while the lock is held; also how long an accuser's own chain must be.
    package var slowWindow: Duration
    /// How long a live member keeps others from a departure that it claimed.
    package var claimWindow: Duration

    package init(
        chainGap: Duration = .milliseconds(450), fastWindow: Duration = .milliseconds(500),
        slowWindow: Duration = .seconds(5), claimWindow: Duration = .seconds(30)
    ) {
        precondition(
            chainGap < fastWindow && fastWindow < slowWindow, "\(chainGap), \(fastWindow), \(slowWindow)")
        self.chainGap = chainGap
        self.fastWindow = fastWindow
        self.slowWindow = slowWindow
        self.claimWindow = claimWindow
    }
}
