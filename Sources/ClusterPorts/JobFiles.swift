package import ClusterModel

package import struct Foundation.UUID

/// What jobs do to the files of homes (docs/FILES.md, “Copies and moves by jobs”).
///
/// A change has an id that its job gives it, the same in each run of the job, so a later run finds what an earlier
/// one did. The statement that decides it proves the claim of the job beside the life of the node (R3): of two runs
/// only the one that holds the claim can decide, and whoever claims the job afterwards sees what was decided.
/// Nothing here is cut off halfway when the calling task is cancelled.
package protocol JobFiles: Sendable {
    /// What became of a change, whichever run made it; one that is decided and not finished is carried out first.
    ///
    /// - Parameter place: where the change has a name: its target, or what it takes away.
    func outcome(of operation: UUID, at place: HomePlace) async throws(JobFileFault) -> JobFileOutcome

    /// Whether a file can be published there, before anybody reads its bytes.
    ///
    /// Makes missing folders above it, if asked for.
    func check(_ target: HomePlace, _ options: JobFileOptions) async throws(JobFileFault)

    /// Makes something staged visible; it belongs to this call, which discards it where nothing was decided.
    func publish(
        _ sealed: SealedFile, at target: HomePlace, _ options: JobFileOptions, _ change: JobChange
    ) async throws(JobFileFault)

    /// Gives the file with this identity another path in the same home, where nothing stands.
    func move(
        _ source: HomePlace, to target: HomePath, identity: FileIdentity, makesParents: Bool,
        _ change: JobChange
    ) async throws(JobFileFault)

    /// Takes the file with this identity away. False: it does not stand there any more.
    func remove(
        _ source: HomePlace, identity: FileIdentity, _ change: JobChange
    ) async throws(JobFileFault) -> Bool
}

/// The names of homes as a job takes and decides them.
package protocol ClaimedNames: Sendable {
    /// The same names; but whatever is reserved or decided through them proves the claim as well (R3).
    ///
    /// `fenced` then also says that the claim is lost, or that the operation has ended before.
    ///
    /// - Parameter accounts: all of which must be enabled; else `fenced` says so too.
    func names(holding title: JobTitle, enabled accounts: [AccountID]) -> any NameStore
}

/// A path in somebody's home.
package struct HomePlace: Hashable, Sendable, CustomStringConvertible {
    package var account: Account
    package var path: HomePath

    package init(account: Account, path: HomePath) {
        self.account = account
        self.path = path
    }

    package var description: String { "\(self.account.name):\(self.path)" }
}

/// One change of a job: its id, and the right by which it is decided.
package struct JobChange: Hashable, Sendable {
    package var operation: UUID
    package var title: JobTitle
    package var right: NodeRight
    /// Accounts without which it must not be decided: one that is disabled refuses it.
    package var enabled: [AccountID]

    package init(operation: UUID, title: JobTitle, right: NodeRight, enabled: [AccountID] = []) {
        self.operation = operation
        self.title = title
        self.right = right
        self.enabled = enabled
    }
}

package struct JobFileOptions: Hashable, Sendable {
    /// False: a file that stands at the target stays, and the change is refused.
    package var replaces: Bool
    package var makesParents: Bool

    package init(replaces: Bool, makesParents: Bool) {
        self.replaces = replaces
        self.makesParents = makesParents
    }
}

package enum JobFileOutcome: Hashable, Sendable {
    /// Nobody has decided it.
    case nothing
    case completed(TransferRecord)
    /// It was decided, and could not be carried out for good: it changed nothing, and its id is used up.
    case failed(reason: String)
    /// It was decided, and what it made or took was not found when it was carried out: it may have been done before, and
    /// undone by somebody else since.
    case unknown(reason: String)
}

package enum JobFileFault: Error, Hashable, Sendable {
    /// Trying again would not help.
    case refused(String)
    /// Trying again may help.
    case later(String)
}
