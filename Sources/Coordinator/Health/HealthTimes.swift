/// From when on a node holds itself for sick, and how quickly it believes so.
///
/// All below what lets others accuse it: a node that is merely slow goes out of the way before it is declared dead.
package struct HealthTimes: Sendable, Equatable {
    /// Of one kind of measurement.
    package struct Bounds: Sendable, Equatable {
        /// From here on a measurement is slow.
        package var slow: Duration
        /// From here on it is bad.
        package var bad: Duration

        package init(slow: Duration, bad: Duration) {
            precondition(.zero < slow && slow < bad, "\(slow), \(bad)")
            self.slow = slow
            self.bad = bad
        }
    }

    /// How late heartbeats leave.
    ///
    /// With 200 ms more than their period the chain breaks.
    package var lateness = Bounds(slow: .milliseconds(60), bad: .milliseconds(150))
    /// How long the database takes to answer one; after a second the line is given up.
    package var roundTrip = Bounds(slow: .milliseconds(250), bad: .milliseconds(600))
    /// How long a probe of the mount takes.
    package var probe = Bounds(slow: .milliseconds(500), bad: .seconds(2))
    /// So many measurements in a row make a gauge worse.
    package var rising = 4
    /// So many failed probes in a row mean that the mount is gone.
    package var failuresMax = 2
    /// Without a slow measurement for so long, a gauge is good again.
    package var calm: Duration = .seconds(10)
    /// Between two steps down with the capacity.
    package var stepDown: Duration = .seconds(1)
    /// Between two steps up.
    package var stepUp: Duration = .seconds(5)
    /// Between two orders to drain.
    package var drainPause: Duration = .seconds(5)

    package static let standard = HealthTimes()
    package init() {}
}
