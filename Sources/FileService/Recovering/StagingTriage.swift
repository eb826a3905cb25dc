package import ClusterModel
package import ClusterPorts

/// Decides which staging folders may be looked through for what dead nodes left or woken zombies made.
///
/// The files in question must have been listed before `view` was read: only live incarnations stage anything, and
/// dead is final, so what lay there before, in the folder of one that is not live in the view, has no owner.
package enum StagingTriage {
    package enum Verdict: Equatable {
        /// Live, about to join, or to be cleared with its departure: not touched.
        case leave
        /// Its owner is gone for good: unlink what no row names, and the folder.
        case clear
        /// Older than the newest member and not in the view, so its row was pruned, or it has never joined: unlink what
        /// no row names; the folder stays, since a slow joiner may still come for it.
        case clearKeepingFolder
    }

    package static func verdict(
        _ incarnation: Incarnation, own: Incarnation, members: [Member], departures: [Departure]
    ) -> Verdict {
        if incarnation == own || departures.contains(where: { $0.incarnation == incarnation }) {
            return .leave
        }
        if let member = members.first(where: { $0.incarnation == incarnation }) {
            return member.status == .dead ? .clear : .leave
        }
        guard let newest = members.map(\.incarnation).max(), incarnation < newest else { return .leave }
        return .clearKeepingFolder
    }

    /// What of a listing has no use: everything that neither an unfinished name nor a segment of an upload names.
    package static func useless(
        _ listed: [StagedName], named rows: [UnfinishedName], segments: Set<StagedName>
    ) -> [StagedName] {
        var kept = segments
        for row in rows {
            if case .publish(_, let staged, _, _) = row.change { kept.insert(staged.name) }
        }
        return listed.filter { !kept.contains($0) }
    }
}
