package import ClusterModel

/// Judges how a node stands from what was last acknowledged, at the moment of use.
package enum StandingRule {
    /// What a node knows of its own membership.
    package struct Knowledge: Sendable, Equatable {
        package var right: NodeRight
        package var status: MemberStatus
        package var configVersion: ConfigVersion
        /// When the last acknowledged heartbeat (or the join) LEFT, on the own clock: trust begins there, not when
        /// the answer came.
        package var acknowledged: ClusterInstant
        /// Why the node must do nothing with the mount; nil when the last probe was good.
        package var mountTrouble: String?

        package init(
            right: NodeRight, status: MemberStatus, configVersion: ConfigVersion,
            acknowledged: ClusterInstant,
            mountTrouble: String? = nil
        ) {
            self.right = right
            self.status = status
            self.configVersion = configVersion
            self.acknowledged = acknowledged
            self.mountTrouble = mountTrouble
        }
    }

    package static func standing(
        _ knowledge: Knowledge?, at now: ClusterInstant, times: MembershipTimes = .standard
    ) -> Standing {
        guard let knowledge, knowledge.status != .dead else { return .outside }
        let silence = now.since(knowledge.acknowledged)
        if silence >= times.isolatedAfter { return .isolated(knowledge.right) }
        if let trouble = knowledge.mountTrouble { return .sick(knowledge.right, reason: trouble) }
        if silence >= times.staleAfter { return .stale(knowledge.right) }
        switch knowledge.status {
        case .active: return .serving(knowledge.right, knowledge.configVersion)
        case .draining: return .draining(knowledge.right, knowledge.configVersion)
        case .dead: return .outside
        }
    }
}
