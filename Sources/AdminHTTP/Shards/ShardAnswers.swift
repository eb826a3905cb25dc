package import ClusterModel

/// One shard.
package struct ShardAnswer: Sendable, Equatable, Codable {
    package enum State: String, Sendable, Codable, CaseIterable {
        /// Who should have it has it.
        case owned
        /// Its owner lives and hands it over.
        case moving
        /// Who should have it has not taken it yet.
        case waiting
        /// Nobody was told to have it yet.
        case unassigned
    }

    /// A node, by what the view says of the incarnation.
    package struct Holder: Sendable, Equatable, Codable {
        /// Nil when the view does not know the incarnation: it died long ago, or has just joined.
        package var node: String?
        package var incarnation: Int64

        init(_ incarnation: Incarnation, in view: ClusterView) {
            self.incarnation = incarnation.rawValue
            self.node = view.members.first { $0.incarnation == incarnation }?.name.description
        }
    }

    package var number: Int
    package var state: State
    /// Who took it last and did not release it, alive or dead.
    package var owner: Holder?
    /// Of the last taking.
    package var epoch: Int64?
    package var wanted: Holder?
    /// Since it was said who should have it, by the database's clock.
    package var wantedSeconds: Double
    package var reason: String
    package var term: Int64
    /// Units of work a second, smoothed, as the owner reported it last.
    package var load: Double
    package var pinned: String?

    package init(_ record: ShardRecord, in view: ClusterView) {
        self.number = Int(record.number.rawValue)
        self.state = Self.state(record, in: view)
        self.owner = record.owner.map { Holder($0, in: view) }
        self.epoch = record.epoch?.rawValue
        self.wanted = record.wanted.map { Holder($0, in: view) }
        self.wantedSeconds = max(0, Double(record.movedFor.wholeMilliseconds) / 1_000)
        self.reason = record.reason
        self.term = record.term
        // Three digits say enough, and what is no number says nothing.
        self.load = record.load.isFinite ? (record.load * 1_000).rounded() / 1_000 : 0
        self.pinned = record.pinned?.description
    }

    private static func state(_ record: ShardRecord, in view: ClusterView) -> State {
        guard let wanted = record.wanted else { return .unassigned }
        guard let owner = record.owner else { return .waiting }
        if owner == wanted { return .owned }
        let lives = view.members.contains { $0.incarnation == owner && $0.status != .dead }
        return lives ? .moving : .waiting
    }
}

/// One shard, and why it is where it is.
package struct ShardStoryAnswer: Sendable, Equatable, Codable {
    package var shard: ShardAnswer
    /// For people.
    package var because: [String]

    package init(_ shard: ShardAnswer, because: [String]) {
        self.shard = shard
        self.because = because
    }
}
