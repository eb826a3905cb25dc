import ClusterModel

/// Watches every commit and every rename, and says which rule broke first.
///
/// It knows the true time and what really happened; it keeps books of its own and asks the deciding code
/// nothing.
final class Judge {
    let stage: Stage
    @exclusivity(unchecked) private(set) var violation: Violation?
    /// Whether the process of an incarnation runs, and nothing was done to it for a while.
    var isHealthy: (Int64) -> Bool = { _ in false }
    @exclusivity(unchecked) var membership = MembershipBook()
    var leases = LeaseBook()
    var files = FileBook()
    var jobs = JobBook()
    var fairness = FairnessBook()
    var shards = ShardBook()
    /// The database's clock was set at this moment.
    var clockSteppedAt: Int64 = -.max / 2
    /// Backends were ended one by one at this moment.
    var backendKilledAt: Int64 = -.max / 2

    init(stage: Stage) { self.stage = stage }

    var now: Int64 { self.stage.now }

    func broken(_ invariant: Invariant, _ reason: @autoclosure () -> String) {
        guard self.violation == nil else { return }
        let violation = Violation(invariant: invariant, reason: reason(), at: self.now)
        self.violation = violation
        self.stage.story.tell(.broken(violation))
    }
}
