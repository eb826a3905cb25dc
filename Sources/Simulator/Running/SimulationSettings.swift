import ClusterModel

/// What a run is asked for; together with the code it decides everything that happens.
package struct SimulationSettings: Sendable, Equatable {
    package var seed: UInt64
    /// 1 to 50.
    package var nodes = 20
    /// Of simulated time, 2 to 1,440; the last 75 s are calm.
    package var minutes = 60
    /// Nil for all kinds; each seed takes some of them.
    package var faults: Set<FaultKind>?
    package var twin: Twin?
    package var leases = true
    package var files = true
    package var jobs = true
    package var shards = true
    package var tellsStory = false

    package init(seed: UInt64) { self.seed = seed }

    package static let nodesRange = 1...50
    package static let minutesRange = 2...1_440

    /// Of the simulated nodes with lanes, in nanoseconds; a sixth of what it is in production, so that it shows in
    /// short runs.
    static let patience = 5 * Span.second
    /// Shards of a simulated cluster; the rules are the same for each of them.
    static let shards = 16

    /// Slots of the member limit.
    var slots: Int { self.nodes + 2 }

    var times: MembershipTimes { .standard }

    var storeTimes: StoreTimes {
        var times = StoreTimes()
        if self.twin == .chainNeverBreaks { times.chainGap = 600_000_000 }
        return times
    }
}
