package import ClusterModel
package import HTTPDoor

/// Which of the 256 shards are listed, and in which order.
package struct ShardFilters: Sendable, Equatable {
    package enum Sort: String, CaseIterable, Sendable {
        case number
        case numberDescending = "-number"
    }

    private static let longest = ShardNumber.count

    /// Owned by, or, while nobody owns it, wanted on the node of this name.
    package var node: NodeName?
    package var state: ShardAnswer.State?
    /// Only those that are pinned, or that are not.
    package var pinned: Bool?
    package var sort = Sort.number
    package var after: Int?
    package var limit = Self.longest

    package init(_ items: [RequestTarget.QueryItem]) throws(Problem) {
        var reader = try QueryReader(items)
        self.node = try reader.value("node", "a node's name") { NodeName($0) }
        self.state = try reader.choice("state", ShardAnswer.State.self)
        self.pinned = try reader.value("pinned", "true or false") { Bool($0) }
        self.sort = try reader.choice("sort", Sort.self) ?? .number
        let list = self.list
        self.after = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(Int.self, $0, of: list)
        }
        self.limit = try reader.number("limit", in: 1...Int64(Self.longest)).map { Int($0) } ?? Self.longest
        try reader.finish()
    }

    private var list: String {
        "shards \(self.node?.description ?? "") \(self.state?.rawValue ?? "") \(self.pinned.map { "\($0)" } ?? "") "
            + self.sort.rawValue
    }

    package func page(_ records: [ShardRecord], in view: ClusterView) -> PageAnswer<ShardAnswer> {
        let falls = self.sort == .numberDescending
        let found = records.map { ShardAnswer($0, in: view) }
            .filter(self.fits)
            .sorted { falls ? $0.number > $1.number : $0.number < $1.number }
            .filter { shard in
                guard let after = self.after else { return true }
                return falls ? shard.number < after : shard.number > after
            }
        return PageAnswer(
            found, limit: self.limit, cursor: { PageCursor.text($0.number, of: self.list) }, answer: { $0 })
    }

    private func fits(_ shard: ShardAnswer) -> Bool {
        if let node = self.node, (shard.owner ?? shard.wanted)?.node != node.description { return false }
        if let state = self.state, shard.state != state { return false }
        if let pinned = self.pinned, (shard.pinned != nil) != pinned { return false }
        return true
    }
}
