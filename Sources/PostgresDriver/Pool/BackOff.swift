/// How long to wait before the next attempt to connect: doubling, capped, and never the same for all.
package struct BackOff: Sendable, Equatable {
    package var first: Duration = .milliseconds(50)
    package var cap: Duration = .seconds(1)

    package init() {}

    /// - Parameters:
    ///   - failures: how many attempts in a row have failed, from 1.
    ///   - jitter: from 0 to 1, by chance; the answer lies between half of the full delay and all of it.
    package func delay(failures: Int, jitter: Double) -> Duration {
        let doublings = min(max(failures - 1, 0), 16)
        let full = min(self.cap, self.first * (1 << doublings))
        return full * (0.5 + 0.5 * min(max(jitter, 0), 1))
    }
}
