package import ClusterModel

/// Where the services of a node get leases; requests of many tasks go together in few statements.
package protocol LeaseDesk: AnyObject, Sendable {
    /// Asks for a lease.
    ///
    /// A cancelled task stops waiting at once; a grant that comes later is given back.
    func acquire(_ request: LeaseRequest) async throws(LeaseError) -> Lease

    /// Asks for many at once, each answered for itself; all of them go in the next statements.
    ///
    /// At most 1,000 requests, each subject once.
    func acquire(all requests: [LeaseRequest]) async throws(LeaseError) -> LeaseBundle

    /// One element after leases were given back or swept by this node: somebody who was denied may try again. Only
    /// the newest is kept.
    func freed() -> AsyncStream<Void>

    // MARK: For the handle

    /// Judged at this very call: false for a node that is isolated, sick or dead, for a lease that it knows to be
    /// lost, and for one that is past its deadline.
    func isHeld(_ title: LeaseTitle, by right: NodeRight) -> Bool

    /// True: the right held until the statement that ended it. False: it was lost before. Throws `unknown` when an
    /// answer was lost and the row is gone.
    func end(_ title: LeaseTitle, by right: NodeRight) async throws(LeaseError) -> Bool

    /// Gives it back without waiting; does nothing when it was ended.
    ///
    /// - Parameter forgotten: nobody said so: a handle went out of scope.
    func giveBack(_ title: LeaseTitle, by right: NodeRight, forgotten: Bool)

    /// Its row was deleted by the statement that committed the work.
    func wasEnded(_ title: LeaseTitle, by right: NodeRight)
}

/// A lease in the hands of its holder; it can be ended once.
///
/// That stops forgetting. The proof is the row: a statement that commits checks title and incarnation (R3). A
/// handle that goes out of scope gives its lease back.
package struct Lease: ~Copyable, Sendable {
    package let title: LeaseTitle
    /// The incarnation to which it was granted.
    package let right: NodeRight
    private let desk: any LeaseDesk

    package init(title: LeaseTitle, right: NodeRight, desk: any LeaseDesk) {
        self.title = title
        self.right = right
        self.desk = desk
    }

    /// Whether going on makes sense; see ``LeaseDesk/isHeld(_:by:)``.
    package var isHeld: Bool { self.desk.isHeld(self.title, by: self.right) }

    /// Ends it because the work is done; answers whether the right held until then.
    package consuming func complete() async throws(LeaseError) -> Bool {
        try await self.desk.end(self.title, by: self.right)
    }

    /// Gives it back; waits for nothing, and goes on until it is done.
    package consuming func release() {
        self.desk.giveBack(self.title, by: self.right, forgotten: false)
    }

    /// The statement that committed the work has deleted the row.
    package consuming func wasEnded() { self.desk.wasEnded(self.title, by: self.right) }

    deinit { self.desk.giveBack(self.title, by: self.right, forgotten: true) }
}

/// What came of many requests, and the leases that were granted, in the hands of one holder.
///
/// They can be ended together, once; a bundle that goes out of scope gives back what it has.
package struct LeaseBundle: ~Copyable, Sendable {
    /// In the order of the requests.
    package let outcomes: [Result<LeaseTitle, LeaseError>]
    package let right: NodeRight
    private let desk: any LeaseDesk

    package init(outcomes: [Result<LeaseTitle, LeaseError>], right: NodeRight, desk: any LeaseDesk) {
        self.outcomes = outcomes
        self.right = right
        self.desk = desk
    }

    /// Those that were granted.
    package var titles: [LeaseTitle] {
        var titles: [LeaseTitle] = []
        for outcome in self.outcomes {
            if case .success(let title) = outcome { titles.append(title) }
        }
        return titles
    }

    /// Those that going on makes sense for; see ``LeaseDesk/isHeld(_:by:)``.
    package var held: [LeaseTitle] { self.titles.filter { self.desk.isHeld($0, by: self.right) } }

    /// Gives all of them back; waits for nothing, and goes on until it is done.
    package consuming func release() {
        for title in self.titles { self.desk.giveBack(title, by: self.right, forgotten: false) }
    }

    /// The statement that committed the work has deleted these rows; the others are given back.
    package consuming func wereEnded(_ ended: [LeaseTitle]) {
        for title in ended { self.desk.wasEnded(title, by: self.right) }
        for title in self.titles { self.desk.giveBack(title, by: self.right, forgotten: false) }
    }

    deinit { for title in self.titles { self.desk.giveBack(title, by: self.right, forgotten: true) } }
}

/// Why there is no lease.
package enum LeaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Somebody else has it, its order key, or all slots of its limit; or this incarnation is dead.
    case denied(LeaseAnswer)
    /// The node may claim nothing at this moment.
    case notAllowed(Standing)
    /// Too many wait, or the node holds as many leases as it may.
    case busy
    /// The node stops.
    case stopping
    /// The answer was lost. Of an acquire: nothing was granted as far as can be seen, and what still turns up is
    /// given back. Of an end: it is gone, by this end or before; the row that the work is about tells.
    case unknown
    /// The database did not do it.
    case failed(String)
    /// The task was cancelled.
    case cancelled

    package var description: String {
        switch self {
        case .denied(let answer): "the lease was not granted: \(answer)"
        case .notAllowed(let standing): "the node may claim nothing now: \(standing)"
        case .busy: "too many ask this node for leases, or it holds too many"
        case .stopping: "the node stops"
        case .unknown: "the database's answer was lost"
        case .failed(let reason): "the database did not grant or end the lease: \(reason)"
        case .cancelled: "the task was cancelled"
        }
    }
}
