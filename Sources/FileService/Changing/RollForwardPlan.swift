package import ClusterModel
package import ClusterPorts

package import struct Foundation.Date

/// Decides which record a decided change gets, from what the mount answered.
package enum RollForwardPlan {
    /// What the mount said when the change was carried out.
    package enum Answer: Sendable, Hashable {
        case published(PublishOutcome)
        /// `shownAtTarget`: the thing with the identity stands at the target, after ``MoveOutcome/notThere``.
        case moved(MoveOutcome, shownAtTarget: Bool)
        case removed(MoveOutcome)
    }

    package enum Verdict: Sendable, Hashable {
        case completed
        case failed(Failure)
        /// The staged name is gone and something else is shown: only the log knows whether it was shown before.
        case askLog
    }

    /// Why a decided change cannot be carried out, now or ever.
    package enum Failure: Sendable, Hashable {
        case blocked(by: FileStatus.Kind)
        case targetTaken
        case gone
        case lost

        package var reason: String {
            switch self {
            case .blocked(let kind): "a \(kind.rawValue) that must not be replaced stands at the path"
            case .targetTaken: "something stands at the target"
            case .gone: "what was to be moved does not stand there any more"
            case .lost: "the staged bytes were lost before the upload was acknowledged"
            }
        }
    }

    /// Whether a record with this reason may be of a change that was carried out before.
    ///
    /// The log has nothing but the reason: whoever finished the change found that what it was about was gone, which is so
    /// too when a node died between the renaming and the log and another program took the file away in between.
    package static func leavesDoubt(_ reason: String) -> Bool {
        reason == Failure.gone.reason || reason == Failure.lost.reason
    }

    package static func verdict(_ answer: Answer) -> Verdict {
        switch answer {
        case .published(.published): .completed
        case .published(.blocked(let kind)): .failed(.blocked(by: kind))
        case .published(.superseded): .askLog
        case .moved(.moved, _): .completed
        case .moved(.notThere, let shownAtTarget): shownAtTarget ? .completed : .failed(.gone)
        case .moved(.blocked, _): .failed(.targetTaken)
        // Gone is gone, whoever removed it.
        case .removed: .completed
        }
    }

    /// After ``Verdict/askLog``: a record that has ended was written when somebody finished the operation.
    package static func verdict(afterLog record: TransferRecord?) -> Verdict {
        record?.status == .completed ? .completed : .failed(.lost)
    }

    /// Whether what is staged has no use any more.
    package static func discards(_ failure: Failure?, of change: NameChange) -> StagedName? {
        failure == nil ? nil : Self.staged(by: change)
    }

    /// What the change names in staging.
    package static func staged(by change: NameChange) -> StagedName? {
        guard case .publish(_, let staged, _, _) = change else { return nil }
        return staged.name
    }

    /// What the transfer log gets, and which rows go away with it.
    package static func finished(
        _ operation: Operation, _ change: NameChange, by incarnation: Incarnation, failure: Failure?,
        at now: Date
    ) -> FinishedOperation {
        var record = TransferRecord(
            id: operation.id, kind: .upload, status: failure == nil ? .completed : .failed,
            account: operation.accountName, path: .home, size: 0, digest: nil, origin: operation.origin,
            incarnation: incarnation, endedAt: now, reason: failure?.reason)
        switch change {
        case .publish(let path, let staged, let digest, _):
            record.kind = staged.identity.isFolder ? .folder : .upload
            record.path = path
            record.size = staged.identity.size
            record.digest = digest
        case .move(let from, let target, _):
            record.kind = .move
            record.path = from
            record.target = target
        case .remove(let path, _):
            record.kind = .delete
            record.path = path
        }
        return FinishedOperation(operation: operation, names: Self.names(of: change), record: record)
    }

    /// The names whose rows the change holds.
    package static func names(of change: NameChange) -> [HomePath] {
        switch change {
        case .publish(let path, _, _, _), .remove(let path, _): [path]
        case .move(let from, let target, _): [from, target]
        }
    }
}
