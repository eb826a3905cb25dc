/// Why a node cannot take part: one clear line for the operator, and the exit code that goes with it.
package enum RuntimeError: Error, Sendable, Equatable, CustomStringConvertible {
    case databaseUnreachable(String)
    case nameTaken(name: String, node: String)
    case clusterFull(limit: Int)
    case foreignMount(String)
    case mountTrouble(String)
    case programTooOld(needs: Int, knows: Int)
    case tooFewConnections(has: Int, needs: Int, members: Int)
    case incarnationUsed(String)

    package var description: String {
        switch self {
        case .databaseUnreachable(let reason): "The database cannot be reached: \(reason)"
        case .nameTaken(let name, let node):
            "The name “\(name)” is taken by a live node (\(node)). Choose another --name."
        case .clusterFull(let limit):
            "The cluster is full: all \(limit) slots of its member limit are held by live nodes."
        case .foreignMount(let reason): "The mount is not this cluster's: \(reason)"
        case .mountTrouble(let reason): "The mount cannot be used: \(reason)"
        case .programTooOld(let needs, let knows):
            "The database needs a Flotilla that knows schema version \(needs), and this one knows \(knows): "
                + "update this node."
        case .tooFewConnections(let has, let needs, let members):
            "The database allows \(has) connections; \(members) nodes need \(needs). Raise max_connections "
                + "or lower the member limit."
        case .incarnationUsed(let reason): "No incarnation could be drawn: \(reason)"
        }
    }

    /// After sysexits.h; docs/operations/running.md says with which of them a supervisor should try again.
    package var exitCode: Int32 {
        switch self {
        case .databaseUnreachable: 69
        case .nameTaken: 73
        case .clusterFull: 75
        case .foreignMount, .tooFewConnections: 78
        case .mountTrouble, .incarnationUsed: 74
        case .programTooOld: 70
        }
    }
}
