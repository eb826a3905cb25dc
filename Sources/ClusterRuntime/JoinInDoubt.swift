import ClusterModel

/// The answer to a join was lost, and the view does not show the incarnation: another one is to be drawn.
///
/// Should the statement still land, nobody beats for that incarnation, and it is accused like every crashed one.
struct JoinInDoubt: Error, CustomStringConvertible {
    var incarnation: Incarnation

    var description: String { "nobody knows whether incarnation \(self.incarnation) has joined" }
}
