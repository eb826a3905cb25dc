package import ClusterModel
package import ClusterPorts
import Coordinator

/// Says why a shard is where it is, by the published view.
package struct ViewShardExplainer: ShardExplainer {
    private let standing: any NodeStanding

    package init(standing: any NodeStanding) { self.standing = standing }

    package func because(_ shard: ShardRecord) -> [String] {
        guard let view = self.standing.view() else {
            return ["this node knows of no view of the cluster yet"]
        }
        return ShardExplanation.lines(shard, view: view)
    }
}
