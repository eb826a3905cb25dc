package import ClusterModel

extension Claiming {
    package struct Settings: Sendable, Equatable {
        /// Those that this node has handlers for; others are not claimed.
        package var kinds: Set<JobKind>
        /// Jobs that run at a time; 1 to 1,000.
        package var capacity = 64
        /// Endings that wait for the store, beyond which nothing is claimed.
        package var endingsMax = 1_000

        /// Lanes of one page of a survey, and those that are remembered over all pages.
        package var lanesAPage = 200
        package var lanesRemembered = 4_096
        /// Lanes are counted up to what the nodes can take at once, within these bounds.
        package var depthMin = 64
        package var depthMax = 1_000
        /// Lanes of one claim.
        package var lanesAClaim = 100

        /// So often the node looks in any case.
        package var idleEvery: Duration = .seconds(5)
        /// While there is work, or lately was news of some.
        package var lookEvery: Duration = .milliseconds(250)
        /// A number is drawn before its transaction commits: so long after news it looks again and again.
        package var lookFor: Duration = .seconds(1)
        /// From page to page of a survey, and until it looks again for what it left to others.
        package var pageEvery: Duration = .milliseconds(25)
        /// After a ring that led to nothing the next one waits longer, up to this, so that twenty nodes do not
        /// all run for one job; after one that led to work it waits shorter.
        package var ringPauseMin: Duration = .milliseconds(1)
        package var ringPauseMax: Duration = .milliseconds(16)
        /// While there is enough to do, a ring may still tell of a lane that nobody serves yet.
        ///
        /// After one that told of none the next one waits longer, up to ``lookEvery``; after quiet or a new lane, so
        /// long again.
        package var busyRingPause: Duration = .milliseconds(20)
        /// Under a backlog a claim waits until a quarter of the slots is free, but no longer than this.
        package var gatherFor: Duration = .milliseconds(5)
        /// So often a claim begins at its lane's beginning, for what came in below the mark.
        package var beginningEvery: Duration = .seconds(1)
        /// An overloaded node leaves jobs to others that have waited less: if others were better off, they would
        /// have taken them.
        package var overloadPatience: Duration = .seconds(2)
        package var fairness = Fairness.Settings()

        /// Between two attempts when the database does not answer; doubles from the first to the second.
        package var pauseMin: Duration = .milliseconds(50)
        package var pauseMax: Duration = .seconds(2)
        /// Longer than any statement runs on the server: a lost grant may turn up until then.
        package var lateness: Duration = .seconds(30)
        /// So often the node reads what it holds in any case: a failover may take back an ending that was accepted, and
        /// nobody else ends the claim, or lets the next one of its key through, while this node lives.
        package var reviewEvery: Duration = .seconds(60)

        package init(kinds: Set<JobKind>) { self.kinds = kinds }
    }

    /// Whether the node may claim.
    package enum Role: Sendable, Equatable {
        case claims
        /// Draining, stale, sick, isolated, stopping, or no member.
        case holds
    }

    /// One statement of the store.
    package enum Order: Sendable, Equatable {
        case survey(after: JobLane?, lanes: Int, depth: Int)
        case claim([LaneShare])
        /// What this incarnation holds: the answer of a claim was lost (R2), or it is time to look.
        case readClaims
    }

    /// What to do now, and when to ask again at the latest.
    package struct Next: Sendable, Equatable {
        package var order: Order?
        package var wakeAt: ClusterInstant?

        package init(order: Order? = nil, wakeAt: ClusterInstant? = nil) {
            self.order = order
            self.wakeAt = wakeAt
        }
    }

    /// Why a statement failed.
    package enum Failure: Sendable, Equatable {
        /// Nothing was done.
        case notRun
        /// Nobody knows.
        case mayHaveRun
    }

    /// A lane as this node knows it.
    struct KnownLane: Sendable, Equatable {
        var backlog: LaneBacklog
        /// What it may still have; `deep` while a survey counted to its bound and no claim came back short.
        var ready: Int
        var isDeep: Bool
        /// What of it is this node's until the next survey.
        var allotted: Int
        var part: ServingNodes.Part?
        var mark: Int64?
        var beganAtBeginning: ClusterInstant
        var surveyedAt: ClusterInstant
    }

    enum InFlight: Sendable, Equatable {
        case survey(after: JobLane?, lanes: Int, depth: Int)
        case claim([LaneShare], sentAt: ClusterInstant)
        case readClaims
    }

    /// The answer of a claim was lost; it may still run, and grant.
    struct Doubt: Sendable, Equatable {
        var since: ClusterInstant
        var readAt: ClusterInstant
        var pause: Duration
        /// It was read at least once.
        var isRead = false
    }
}
