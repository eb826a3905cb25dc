package import ClusterModel

/// What a node had in hand and how quickly it answered, at one look.
package struct IngressSample: Sendable, Equatable {
    /// Requests in hand now.
    package var inFlight: Int
    /// Requests that the node takes on at a time.
    package var capacity: Int
    /// Percent of the capacity that the node's own health leaves.
    package var share: Int
    /// Requests with nothing to receive that were answered since the last look, and their times in sum.
    package var answered: Int
    package var took: Duration

    package init(inFlight: Int, capacity: Int, share: Int = 100, answered: Int, took: Duration) {
        self.inFlight = inFlight
        self.capacity = capacity
        self.share = share
        self.answered = answered
        self.took = took
    }
}

/// Decides which weight a node asks its balancers for.
///
/// First by requests in flight: the free part of the capacity. Then by latency: a node that answers several times
/// slower than it can steps back by the square of that. Never by CPU. Falls at once and rises slowly, and small
/// changes stay inside a band, so it does not flap.
package struct IngressWeight: Sendable, Equatable {
    /// Percent, 1 to 100; never 0, since nodes that are all slow together must all go on.
    package var percent: Int { max(1, min(100, Int(self.level.rounded()))) }
    /// The smoothed latency, in seconds; nil until something was answered.
    package private(set) var latency: Double?

    private var level = 100.0
    private var isRising = false
    private var inFlight = 0.0
    private var best: Double?
    private var lookedAt: ClusterInstant?
    private let times: IngressTimes

    package init(times: IngressTimes = .standard) { self.times = times }

    /// Takes in one look; those further apart weigh more.
    package mutating func looked(_ sample: IngressSample, at now: ClusterInstant) {
        let elapsed = self.lookedAt.map { Self.seconds(now.since($0)) } ?? Self.seconds(self.times.period)
        self.lookedAt = now
        guard elapsed > 0 else { return }
        self.inFlight +=
            (Double(sample.inFlight) - self.inFlight) * Self.part(elapsed, of: self.times.smoothing)
        self.measure(sample, elapsed)
        self.move(to: self.wanted(sample), elapsed)
    }

    /// What the node would be worth just now, without band and damping.
    private func wanted(_ sample: IngressSample) -> Double {
        let share = Double(max(1, min(100, sample.share))) / 100
        let capacity = max(1, Double(sample.capacity) * share)
        let free = max(0, 1 - self.inFlight / capacity)
        return max(1, 100 * share * free * self.latencyFactor)
    }

    /// 1 up to the tolerated slowness, then falling with its square.
    ///
    /// The balancer's least connections already give a node that is n times slower an n-th of the requests; to
    /// keep the slowest of a hundred requests from being its, it has to step back further than that.
    private var latencyFactor: Double {
        guard let latency, let best else { return 1 }
        let bounds = self.times.goodLatency
        let good = min(max(best, Self.seconds(bounds.lowerBound)), Self.seconds(bounds.upperBound))
        let slowness = latency / (good * self.times.tolerance)
        return slowness <= 1 ? 1 : max(self.times.leastFactor, 1 / (slowness * slowness))
    }

    private mutating func measure(_ sample: IngressSample, _ elapsed: Double) {
        guard sample.answered > 0 else {
            if let latency, let best {
                self.latency = latency + (best - latency) * Self.part(elapsed, of: self.times.forgetting)
            }
            return
        }
        let count = Double(sample.answered)
        let mean = Self.seconds(sample.took) / count
        guard let old = self.latency else {
            self.latency = mean
            self.best = mean
            return
        }
        // One answer alone says little: it may have been a large folder or a first log-in.
        let latency =
            old + (mean - old) * Self.part(elapsed, of: self.times.smoothing) * count / (count + 2)
        self.latency = latency
        let best = self.best ?? latency
        self.best =
            latency < best
            ? latency : best + (latency - best) * Self.part(elapsed, of: self.times.memory)
    }

    private mutating func move(to wanted: Double, _ elapsed: Double) {
        let band = max(self.times.leastBand, self.level * self.times.band / 100)
        if wanted < self.level - band {
            self.isRising = false
            self.level = wanted
            return
        }
        // The band is for beginning to rise, or it would always end one band below.
        self.isRising = self.level < wanted && (self.isRising || wanted > self.level + band)
        if self.isRising { self.level = min(wanted, self.level + self.times.rise * elapsed) }
    }

    /// The part of a difference that is made up for within that time, with a time constant.
    private static func part(_ elapsed: Double, of constant: Duration) -> Double {
        elapsed / (elapsed + Self.seconds(constant))
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.wholeNanoseconds) / 1_000_000_000
    }
}
