package import ClusterModel
package import HTTPDoor

/// The body of `PUT /shards/{number}/pin` and `POST /shards/{number}/move`.
package struct ShardTarget: Sendable, Equatable {
    package var node: NodeName

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        let text = try fields.required("node")
        guard let node = NodeName(text) else {
            throw BodyFields.invalid("node", "“\(text)” is no name of a node")
        }
        self.node = node
        try fields.finish()
    }
}
