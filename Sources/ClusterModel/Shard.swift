/// One of the 256 slices of the standing work.
package struct ShardNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// 0 to 255.
    package let rawValue: Int16

    package static let count = 256
    package static let all: [ShardNumber] = (0..<Int16(Self.count)).map { ShardNumber(unchecked: $0) }

    /// Answers nil for numbers that are no shard's.
    package init?(_ number: Int) {
        guard (0..<Self.count).contains(number) else { return nil }
        self.rawValue = Int16(number)
    }

    /// The shard that what this incarnation leaves behind belongs to.
    ///
    /// Numbers of incarnations follow one another, so their remainders are spread evenly.
    package init(of incarnation: Incarnation) {
        self.init(unchecked: Int16(incarnation.rawValue % Int64(Self.count)))
    }

    private init(unchecked number: Int16) { self.rawValue = number }

    package static func < (left: ShardNumber, right: ShardNumber) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }
}

/// What the owner of a shard presents when it writes: together with its live incarnation, the right to.
package struct ShardTitle: Hashable, Sendable {
    package var number: ShardNumber
    package var epoch: Epoch

    package init(number: ShardNumber, epoch: Epoch) {
        self.number = number
        self.epoch = epoch
    }
}

/// A shard as it stands in the database.
///
/// Who should have it (`wanted`) is the leader's word, who has it (`owner`) is what a node took; they differ while
/// it is handed over.
package struct ShardRecord: Hashable, Sendable {
    package var number: ShardNumber
    /// Who should have it; nil when nobody was ever told to.
    package var wanted: Incarnation?
    /// Of the leader who said so.
    package var term: Int64
    /// Why, for people.
    package var reason: String
    /// Since it was said, by the database's clock: negative when that was stepped back.
    package var movedFor: Duration
    /// Who took it last and did not release it, alive or dead.
    package var owner: Incarnation?
    /// Of the last taking, also when it was released since; nil when nobody ever took it.
    package var epoch: Epoch?
    /// The node that an operator wants it on.
    package var pinned: NodeName?
    /// Work a second, smoothed, as the owner reports it; in the unit of its handlers, the same for all shards.
    package var load: Double

    package init(
        number: ShardNumber, wanted: Incarnation? = nil, term: Int64 = 0, reason: String = "not assigned yet",
        movedFor: Duration = .zero, owner: Incarnation? = nil, epoch: Epoch? = nil, pinned: NodeName? = nil,
        load: Double = 0
    ) {
        self.number = number
        self.wanted = wanted
        self.term = term
        self.reason = reason
        self.movedFor = movedFor
        self.owner = owner
        self.epoch = epoch
        self.pinned = pinned
        self.load = load
    }
}

/// The leader's order that a shard shall be somebody else's from now on.
package struct ShardMove: Hashable, Sendable {
    package enum Cause: Hashable, Sendable {
        case unassigned
        /// Whoever should have it lives no more; its name, or its incarnation when nobody knows the name.
        case died(String)
        case drains(NodeName)
        /// An operator wants it there, and that node is active.
        case pinned(NodeName)
        /// That node carries so many times the mean.
        case carries(NodeName, ratio: Double)
    }

    package var number: ShardNumber
    /// Who should have had it until now: the order is void if that has changed.
    package var from: Incarnation?
    package var to: Incarnation
    package var cause: Cause
    /// An operator wants it there, but that node cannot have it now.
    package var pinAway: NodeName?

    package init(
        number: ShardNumber, from: Incarnation?, to: Incarnation, cause: Cause, pinAway: NodeName? = nil
    ) {
        self.number = number
        self.from = from
        self.to = to
        self.cause = cause
        self.pinAway = pinAway
    }

    /// Whether it could not stay where it was; only other moves wait for a shard's minimum stay.
    package var isForced: Bool {
        switch self.cause {
        case .unassigned, .died, .drains, .pinned: true
        case .carries: false
        }
    }

    /// For people.
    package var reason: String {
        let why =
            switch self.cause {
            case .unassigned: "not assigned yet"
            case .died(let name): "its owner \(name) died"
            case .drains(let name): "\(name) drains"
            case .pinned(let name): "pinned to \(name)"
            case .carries(let name, let ratio): "\(name) carries \(Self.hundredths(ratio)) of the mean"
            }
        return self.pinAway.map { "\(why); pinned to \($0), which cannot have it now" } ?? why
    }

    private static func hundredths(_ ratio: Double) -> String {
        guard ratio.isFinite, ratio >= 0, ratio < 1_000_000 else { return "many times" }
        let whole = Int((ratio * 100).rounded())
        let rest = whole % 100
        return "\(whole / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
