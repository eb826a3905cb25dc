/// How the weight of a node follows what it measures; docs/decisions/0020 gives the reasons.
package struct IngressTimes: Sendable, Equatable {
    /// Between two looks at the node.
    package var period: Duration = .milliseconds(250)
    /// Over how long the requests in flight, and the latency, are smoothed.
    package var smoothing: Duration = .seconds(2)
    /// Without any answer the measured latency fades towards the best one in about this time, so that a node that
    /// gets nothing is tried again.
    package var forgetting: Duration = .seconds(10)
    /// The best latency is forgotten over this time, when it is not reached any more.
    package var memory: Duration = .seconds(600)
    /// What a good latency lies between, whatever was measured: below, everything is noise; above, it is slow.
    package var goodLatency: ClosedRange<Duration> = .milliseconds(5) ... .milliseconds(25)
    /// So many times the good latency still counts as good.
    package var tolerance = 2.0
    /// What latency alone leaves of the weight at least, so that requests in flight still tell nodes apart.
    package var leastFactor = 0.04
    /// Percent of the weight, and at least as many points as ``leastBand``, that a change must exceed.
    package var band = 10.0
    package var leastBand = 2.0
    /// Points a second by which the weight rises; it falls at once.
    package var rise = 5.0

    package static let standard = IngressTimes()
    package init() {}
}
