import ClusterPorts
import ClusterRuntime
import Logging
import PostgresStore
import ServiceLifecycle

/// What has to do with standing work in a node: who should have which shard, and the work for those that it has.
struct NodeShards {
    let explainer: ViewShardExplainer
    /// In the order in which they start; they stop in the reverse one, last of all before the node leaves: the sooner it
    /// has left after that, the sooner others take what it had.
    let services: [any Service]

    init(claims: PostgresStore, standing: StandingBoard, works: [any StandingWork], logger: Logger) {
        let planner = ShardPlanner(store: claims, standing: standing, logger: logger)
        let runner = ShardRunner(
            store: claims, standing: standing, works: works, assigned: planner.assigned, logger: logger)
        self.explainer = ViewShardExplainer(standing: standing)
        self.services = [planner, runner]
    }
}
