import ArgumentParser

/// One load a subcommand; each prints one line of JSON about itself.
///
/// `cluster-node` is no load, and prints events.
///
/// The programs in deploy/bench start the servers, run these loads and their peers in turn, and compare.
@main
struct FlotillaBenchmarks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flotilla-benchmarks",
        abstract: "One load a subcommand, for `make bench`; prints one line of JSON.",
        subcommands: [
            PointReads.self, RowUpdates.self, CombinedUpdates.self, RowCopy.self, RedisReads.self,
            RedisWrites.self, LeaseCycles.self, ClusterNode.self, HeldLeases.self, StaleCommits.self,
            WokenWriter.self, JobEnqueues.self, JobDrain.self, JobPickup.self, JobFairness.self,
            JobSteady.self, ShardBalance.self, FileRequests.self,
        ])
}
