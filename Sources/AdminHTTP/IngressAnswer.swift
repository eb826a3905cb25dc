import ClusterModel
package import HTTPDoor

/// How requests come in at the node that answers, and what it refused since it was started.
package struct IngressAnswer: Sendable, Equatable, Codable {
    package struct Refused: Sendable, Equatable, Codable {
        /// By the bound on requests in hand at the node.
        package var node: Int
        /// By the bound on those of one account.
        package var account: Int
        /// By the bounds on uploads and on changes of names.
        package var work: Int
    }
    /// What balancers are told, in percent.
    package var weight: Int
    /// Smoothed, of requests with nothing to receive; nil until there was one.
    package var latencyMs: Double?
    package var inFlight: Int
    package var refused: Refused

    package init(_ weight: IngressWeightReading, _ gauge: RequestGauge) {
        let refusals = gauge.refusals()
        self.weight = weight.percent
        self.latencyMs = weight.latency.map { ($0 / .microseconds(10)).rounded() / 100 }
        self.inFlight = gauge.sample().inFlight
        self.refused = Refused(node: refusals.node, account: refusals.account, work: refusals.work)
    }
}

/// What balancers are told of a node, and the latency behind it.
package struct IngressWeightReading: Sendable, Equatable {
    /// 1 to 100.
    package var percent: Int
    package var latency: Duration?

    package init(percent: Int, latency: Duration?) {
        self.percent = percent
        self.latency = latency
    }
}
