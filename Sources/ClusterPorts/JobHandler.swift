package import ClusterModel

/// Does the jobs of one kind.
package protocol JobHandler: Sendable {
    var kind: JobKind { get }

    /// Runs one job, on any node, and again after whatever went wrong: so what it does must be the same when it is
    /// done twice, by the job's id.
    ///
    /// Cancelled when the claim is lost, or when the node stops.
    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd
}

/// What a handler asks while it runs.
package protocol JobDesk: Sendable {
    /// Whether going on makes sense, judged at this very call; the proof is the statement that commits.
    func isHeld(_ title: JobTitle) -> Bool

    /// Whether long jobs should stop at their next checkpoint, and be given back.
    var isDraining: Bool { get }

    /// Notes how far it is. False: the right was lost, or the database did not answer.
    func note(_ progress: JobProgress, of title: JobTitle) async -> Bool

    /// The incarnation that holds the claim, for statements that commit by it (R3); nil when it is lost.
    func right(of title: JobTitle) -> NodeRight?
}

/// Says that there may be work, and hears it: a hint that nothing depends on.
package protocol Doorbell: Sendable {
    /// After a commit that made work; debounced, waits for nothing.
    func ring()

    /// One element after somebody rang, on this node or another; only the newest is kept.
    func rings() -> AsyncStream<Void>
}

/// Says why a job stands where it stands: why not yet, why this node.
package protocol JobExplainer: Sendable {
    /// Lines for people; what could not be found out is said too.
    func because(_ job: JobRecord) async -> [String]
}
