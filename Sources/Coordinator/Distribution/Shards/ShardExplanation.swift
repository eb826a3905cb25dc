package import ClusterModel

/// Tells people why a shard is where it is, and what it waits for.
package enum ShardExplanation {
    /// - Parameter view: may be newer or older than the row; who is not in it is called by incarnation.
    package static func lines(_ record: ShardRecord, view: ClusterView) -> [String] {
        var lines = [Self.standing(record, view: view)]
        lines.append("because: \(record.reason) (\(Self.ago(record.movedFor)), term \(record.term))")
        if let pin = record.pinned {
            let home = view.members.first { $0.name == pin && $0.status != .dead }
            if home == nil {
                lines.append("pinned to \(pin), which is not there: balanced like any other until it is")
            } else if home?.status == .draining {
                lines.append("pinned to \(pin), which drains: it comes back when the drain is cancelled")
            } else {
                lines.append("pinned to \(pin): never moved for balance")
            }
        }
        return lines
    }

    private static func standing(_ record: ShardRecord, view: ClusterView) -> String {
        guard let wanted = record.wanted else { return "nobody should have it yet" }
        let name = Self.name(wanted, in: view)
        guard let owner = record.owner else { return "\(name) should have it and has not taken it yet" }
        if owner == wanted { return "\(name) owns it" }
        let isOwnerLiving = view.members.contains { $0.incarnation == owner && $0.status != .dead }
        let holder = Self.name(owner, in: view)
        return isOwnerLiving
            ? "\(holder) owns it and is handing it over to \(name)"
            : "\(name) should have it and has not taken it from \(holder), who is dead, yet"
    }

    private static func name(_ incarnation: Incarnation, in view: ClusterView) -> String {
        view.members.first { $0.incarnation == incarnation }?.name.description ?? "incarnation \(incarnation)"
    }

    private static func ago(_ duration: Duration) -> String {
        "since \(max(0, duration.wholeMilliseconds) / 1_000) s"
    }
}
