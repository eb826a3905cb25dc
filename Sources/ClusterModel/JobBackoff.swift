/// How long a job that failed waits for its next attempt: doubling, capped, and spread by chance.
///
/// After attempt `n` (from 1) it is `min(longest, shortest · 2^(n-1)) · (1/2 + chance/2)`, with a chance from 0 to 1
/// that the caller throws. Only the attempt counts, and that is in the job's row: a node that dies forgets nothing
/// of it. With the standard times 20 attempts take 4.5 to 9.2 hours.
package struct JobBackoff: Sendable, Hashable {
    /// After the first attempt.
    package var shortest: Duration
    package var longest: Duration

    package init(shortest: Duration, longest: Duration) {
        self.shortest = shortest
        self.longest = longest
    }

    package static let standard = JobBackoff(shortest: .seconds(2), longest: .seconds(3_600))

    /// - Parameters:
    ///   - attempt: the number of the attempt that failed, from 1; ``ClaimedJob/attempt``.
    ///   - chance: from 0 to 1.
    package func pause(attempt: Int, chance: Double) -> Duration {
        // 2^40 times the shortest is beyond every cap.
        let doublings = min(40, max(0, attempt - 1))
        let doubled = self.shortest * Double(Int64(1) << Int64(doublings))
        return min(doubled, self.longest) * (0.5 + 0.5 * min(1, max(0, chance)))
    }

    /// The end of an attempt that another one may mend.
    package func retry(_ job: ClaimedJob, reason: String, chance: Double) -> JobEnd {
        .retry(after: self.pause(attempt: job.attempt, chance: chance), reason: reason)
    }
}
