package import ClusterModel

/// Says why a node may, or may not, take a ready job of a lane: for people.
///
/// From what one survey and one view show, by the same rules as ``Claiming``; nothing is decided here.
package struct ExplainJob: Sendable, Equatable {
    /// Why not, or why not first.
    package enum Reason: Sendable, Hashable, CustomStringConvertible {
        case dead
        /// It takes nothing new.
        case draining
        /// What the job or a policy requires and this node does not have, while another has all of it.
        case missing([String])
        /// Nobody has what is required, so everybody may.
        case nobodyHas([String])
        case overloaded(Float)
        /// Everybody who could take it is overloaded, so they may.
        case allOverloaded
        /// So many of its kind run on this node, which is all that a policy allows.
        case perNode(Int)
        /// All slots of a limit of its kind or account are taken; 0 slots hold it back.
        case limited
        /// All of the node's slots for jobs are taken.
        case full(Int)
        /// This node has no handler of the kind; of others nobody here knows.
        case noHandler

        package var isBar: Bool {
            switch self {
            case .dead, .draining, .missing, .overloaded, .perNode, .limited, .full, .noHandler: true
            case .nobodyHas, .allOverloaded: false
            }
        }

        package var description: String {
            switch self {
            case .dead: "the node is dead"
            case .draining: "the node drains and takes nothing new"
            case .missing(let places): "the node lacks \(places.joined(separator: ", "))"
            case .nobodyHas(let places):
                "no active node has \(places.joined(separator: ", ")), so every node may take it"
            case .overloaded(let load): "the node is overloaded (load \(load)), and others are not"
            case .allOverloaded: "all nodes that may take it are overloaded, so they take it all the same"
            case .perNode(let most): "the node runs \(most) of this kind, the most that its policy allows"
            case .limited: "all slots of a limit of its kind or account are taken"
            case .full(let capacity): "all \(capacity) slots of the node are taken"
            case .noHandler: "the node has no handler of this kind"
            }
        }
    }

    package struct Verdict: Sendable, Equatable {
        package var slot: Slot
        package var reasons: [Reason]
        /// How many nodes would rather have it, for the account's sake; only among equals.
        package var affinity: Int?
        package var mayTake: Bool { !self.reasons.contains(where: \.isBar) }
    }

    /// What is known of a node's own hands; nil of others'.
    package struct Hands: Sendable, Equatable {
        package var capacity: Int
        package var running: Int
        package var ofKind: Int
        package var handles: Bool

        package init(capacity: Int, running: Int, ofKind: Int, handles: Bool) {
            self.capacity = capacity
            self.running = running
            self.ofKind = ofKind
            self.handles = handles
        }
    }

    package var backlog: LaneBacklog
    package var view: ClusterView

    package init(backlog: LaneBacklog, view: ClusterView) {
        self.backlog = backlog
        self.view = view
    }

    /// One for each member, by slot.
    ///
    /// - Parameter hands: of those that are known.
    package func verdicts(hands: [Slot: Hands] = [:]) -> [Verdict] {
        let nodes = ServingNodes(self.view)
        let serving = nodes.serving(self.backlog.requires)
        return self.view.members.sorted { $0.slot < $1.slot }.map { member in
            var reasons = self.standing(member)
            if reasons.isEmpty { reasons += self.place(member, nodes, serving: serving) }
            if let room = self.backlog.room, room <= 0 { reasons.append(.limited) }
            if let hands = hands[member.slot] { reasons += self.hands(hands) }
            let isServing = serving.contains { $0.slot == member.slot }
            return Verdict(
                slot: member.slot, reasons: reasons,
                affinity: isServing
                    ? Rendezvous.place(
                        of: member.slot, among: serving.map(\.slot), for: self.backlog.account) : nil)
        }
    }

    private func standing(_ member: Member) -> [Reason] {
        switch member.status {
        case .active: []
        case .draining: [.draining]
        case .dead: [.dead]
        }
    }

    private func place(
        _ member: Member, _ nodes: ServingNodes, serving: [ServingNodes.Node]
    ) -> [Reason] {
        var reasons: [Reason] = []
        let has = Set(member.attributes.map { "\($0.key)=\($0.value)" })
        let missing = self.backlog.requires.filter { !has.contains($0) }
        if !missing.isEmpty {
            reasons.append(
                nodes.isNobodyCapable(of: self.backlog.requires) ? .nobodyHas(missing) : .missing(missing))
        }
        if member.load.load > ServingNodes.fullLoad {
            let isServing = serving.contains { $0.slot == member.slot }
            reasons.append(isServing ? .allOverloaded : .overloaded(member.load.load))
        }
        return reasons
    }

    private func hands(_ hands: Hands) -> [Reason] {
        var reasons: [Reason] = []
        if !hands.handles { reasons.append(.noHandler) }
        if hands.running >= hands.capacity { reasons.append(.full(hands.capacity)) }
        if let most = self.backlog.perNode, hands.ofKind >= most { reasons.append(.perNode(most)) }
        return reasons
    }
}
