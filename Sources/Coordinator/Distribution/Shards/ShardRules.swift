/// The constants of standing shards, each with its reason.
package struct ShardRules: Sendable, Equatable {
    /// Nothing is moved for balance while nobody carries more than so many times the mean.
    ///
    /// The promise is 1.15 of the true load; measurements that were smoothed are within a few percent of that.
    package var band = 1.10
    /// A node that a shard is moved to carries at most so many times the mean afterwards.
    ///
    /// Half of the band: whoever was just given something is not the next one to give.
    package var ceiling = 1.05
    /// Where no move fits under the ceiling, one has to lower the most loaded by so much of the mean.
    package var worthwhile = 0.02
    /// A shard that was moved stays so long, unless its node dies or drains or an operator says otherwise.
    ///
    /// Longer than a hand-off (``handOffWait``) and than the half-life of its load, so that nobody decides
    /// again before what was decided shows.
    package var minimumStay: Duration = .seconds(30)
    /// Moves for balance in one round; moves that are forced are not counted.
    ///
    /// A sixteenth of all shards: the work of few stands still at a time.
    package var balanceMoves = 16
    /// What a shard counts beside its load, as a part of the mean load of all shards.
    ///
    /// Spreads idle shards by number, and is so small that the load's own ratio stays below 1.10 · 1.02.
    package var idleWeight = 0.02
    /// Between two rounds of the leader; after a death at once.
    package var round: Duration = .seconds(5)
    /// The smoothed load is half-way to a new level after so long.
    ///
    /// Four rounds: one burst moves nothing; and six half-lives fit into the two minutes after which the load
    /// has to be even again (1.6 % are missing by then).
    package var halfLife: Duration = .seconds(20)
    /// What is in hand when a shard is to be released may go on for so long; then it is cut.
    package var handOffWait: Duration = .seconds(10)
    /// A node reads the rows of its shards so often while one of them is on its way to or from it.
    package var restlessRead: Duration = .seconds(1)
    /// And so often when nothing is: the heartbeats tell when something changed, so this is for what nobody foresaw.
    ///
    /// Twenty idle nodes pay 0.7 statements a second.
    package var quietRead: Duration = .seconds(30)
    /// Owners look so often whether their loads have changed.
    package var report: Duration = .seconds(5)
    /// Loads are reported when all of a node's changes together are so much of what it said last.
    package var reportedPart = 0.05
    /// And at least so many units a second: below that a node is as good as idle.
    package var reportedLeast = 0.25

    package init() {}

    package static let standard = ShardRules()
}
