package import ClusterModel

/// Decides which nodes may take the jobs of a lane, as one node sees the cluster.
///
/// A policy narrows the set: those that have the required attributes, and of them those that are not overloaded. An
/// empty set means everybody who is active.
package struct ServingNodes: Sendable, Equatable {
    /// A node whose own load is above this is overloaded.
    package static let fullLoad: Float = 1

    /// What counts of an active member.
    package struct Node: Sendable, Equatable {
        package var slot: Slot
        /// `key=value`.
        package var attributes: Set<String>
        package var capacity: Int
        package var isOverloaded: Bool
    }

    package var nodes: [Node]

    package init(_ view: ClusterView?) {
        self.nodes = (view?.members ?? []).filter { $0.status == .active }.map { member in
            Node(
                slot: member.slot, attributes: Set(member.attributes.map { "\($0.key)=\($0.value)" }),
                capacity: max(1, member.capacity), isOverloaded: member.load.load > Self.fullLoad)
        }
    }

    /// Those that may take such jobs.
    package func serving(_ requires: [String]) -> [Node] {
        let capable = self.nodes.filter { node in requires.allSatisfy { node.attributes.contains($0) } }
        let places = capable.isEmpty ? self.nodes : capable
        let rested = places.filter { !$0.isOverloaded }
        return rested.isEmpty ? places : rested
    }

    /// Whether the set is everybody only because nobody has what is required.
    package func isNobodyCapable(of requires: [String]) -> Bool {
        !self.nodes.contains { node in requires.allSatisfy { node.attributes.contains($0) } }
    }

    /// What one node finds in a lane that it may take from.
    package struct Part: Sendable, Equatable {
        /// This node's part of the serving ones' capacity; above 0, at most 1.
        package var share: Double
        /// How many others an account's jobs would rather go to.
        package var affinity: Int
    }

    /// Nil when the jobs are for others.
    ///
    /// A node that the view does not show yet counts as one more of the usual size.
    package func part(of slot: Slot, in requires: [String], account: AccountID?) -> Part? {
        let serving = self.serving(requires)
        let all = serving.reduce(0) { $0 + $1.capacity }
        if let own = serving.first(where: { $0.slot == slot }) {
            return Part(
                share: Double(own.capacity) / Double(all),
                affinity: Rendezvous.place(of: slot, among: serving.map(\.slot), for: account))
        }
        guard !self.nodes.contains(where: { $0.slot == slot }) else { return nil }
        return Part(share: 1 / Double(serving.count + 1), affinity: serving.count)
    }
}

/// Rendezvous hashing: for each account every node has a score of its own, and the highest has the
/// account's data warm.
///
/// A node that comes or goes moves only what it wins or had.
package enum Rendezvous {
    /// How many of the slots have a higher score than this one.
    package static func place(of slot: Slot, among slots: [Slot], for account: AccountID?) -> Int {
        guard let account else { return 0 }
        // FNV-1a, 64 bits: the same on every machine and in every version.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in account.description.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let own = Self.score(hash, slot)
        return slots.count { $0 != slot && Self.score(hash, $0) > own }
    }

    /// The finish of SplitMix64, so that neighbouring slots have unrelated scores.
    private static func score(_ account: UInt64, _ slot: Slot) -> UInt64 {
        var mixed = account &+ UInt64(UInt16(bitPattern: slot.rawValue)) &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
