package import ClusterModel
package import ClusterPorts
package import FileService
package import HTTPDoor
package import Logging
package import ServiceLifecycle

/// The front door for operators: `/api/v1/…` and `/health/…`.
package enum AdminDoor {
    /// What the door needs of the node.
    package struct Dependencies: Sendable {
        package var gatekeeper: Gatekeeper
        package var desk: AccountDesk
        package var transfers: any TransferStore
        package var members: any MemberControl
        package var leases: any LeaseStore
        package var feed: any FeedStore
        package var webhooks: any WebhookStore
        package var events: any EventStore
        package var jobs: any JobStore & JobControl
        package var schedules: any ScheduleStore
        /// What may be submitted.
        package var jobKinds: Set<JobKind>
        /// What the node's handlers read in the payload of a submission.
        package var readPayload: @Sendable (JobSpec) -> PayloadReading
        package var explainer: (any JobExplainer)?
        package var doorbell: (any Doorbell)?
        package var shards: any ShardStore
        package var shardExplainer: (any ShardExplainer)?
        package var uploads: UploadService
        package var uploadRows: any UploadStore
        /// Open transfers of this node.
        package var sessions: @Sendable () -> [TransferSession]
        /// Nil where no other node is asked.
        package var peers: (any SessionPeers)?
        /// What nodes prove themselves to each other by.
        package var seal: NodeSeal?
        package var standing: any NodeStanding
        /// Nil where the cluster has none.
        package var cache: (any ViewCache)?
        package var gauge: RequestGauge
        /// What balancers are told.
        package var weight: @Sendable () -> IngressWeightReading

        package init(
            gatekeeper: Gatekeeper, desk: AccountDesk, transfers: any TransferStore,
            members: any MemberControl, leases: any LeaseStore, feed: any FeedStore,
            webhooks: any WebhookStore, events: any EventStore, jobs: any JobStore & JobControl,
            schedules: any ScheduleStore,
            jobKinds: Set<JobKind> = [],
            readPayload: @escaping @Sendable (JobSpec) -> PayloadReading = { _ in PayloadReading() },
            explainer: (any JobExplainer)? = nil,
            doorbell: (any Doorbell)? = nil, shards: any ShardStore,
            shardExplainer: (any ShardExplainer)? = nil, uploads: UploadService, uploadRows: any UploadStore,
            sessions: @escaping @Sendable () -> [TransferSession], peers: (any SessionPeers)? = nil,
            seal: NodeSeal? = nil, standing: any NodeStanding,
            cache: (any ViewCache)?, gauge: RequestGauge,
            weight: @escaping @Sendable () -> IngressWeightReading = {
                IngressWeightReading(percent: 100, latency: nil)
            }
        ) {
            self.weight = weight
            self.gatekeeper = gatekeeper
            self.desk = desk
            self.transfers = transfers
            self.members = members
            self.leases = leases
            self.feed = feed
            self.webhooks = webhooks
            self.events = events
            self.jobs = jobs
            self.schedules = schedules
            self.jobKinds = jobKinds
            self.readPayload = readPayload
            self.explainer = explainer
            self.doorbell = doorbell
            self.shards = shards
            self.shardExplainer = shardExplainer
            self.uploads = uploads
            self.uploadRows = uploadRows
            self.sessions = sessions
            self.peers = peers
            self.seal = seal
            self.standing = standing
            self.cache = cache
            self.gauge = gauge
        }
    }

    /// A service that listens until it is told to stop.
    ///
    /// - Parameter onBound: Gets the port that is really listened on.
    package static func server(
        _ needs: Dependencies, address: DoorAddress, limits: ConnectionLimits, logger: Logger,
        onBound: @escaping @Sendable (Int) async -> Void
    ) -> any Service {
        let responder = AdminResponder(
            gatekeeper: needs.gatekeeper, desk: needs.desk, transfers: needs.transfers,
            members: needs.members, leases: needs.leases, feed: needs.feed, webhooks: needs.webhooks,
            events: needs.events, jobs: needs.jobs, schedules: needs.schedules, jobKinds: needs.jobKinds,
            readPayload: needs.readPayload, explainer: needs.explainer, doorbell: needs.doorbell,
            shards: needs.shards, shardExplainer: needs.shardExplainer,
            uploads: needs.uploads, uploadRows: needs.uploadRows, sessions: needs.sessions,
            peers: needs.peers, seal: needs.seal, watchers: WatcherGauge(limit: 64),
            standing: needs.standing, cache: needs.cache,
            ingress: { IngressAnswer(needs.weight(), needs.gauge) })
        return DoorServer(
            responder: Door(responder, standing: needs.standing, gauge: needs.gauge), address: address,
            limits: limits,
            services: [], logger: logger, onBound: onBound)
    }
}

/// What a handler reads in the payload of a job that is to be submitted.
package struct PayloadReading: Hashable, Sendable {
    /// What is wrong with it: a field, with dots between the names of objects, and why.
    package struct Fault: Hashable, Sendable {
        /// Empty for the payload itself.
        package var field: String
        package var reason: String

        package init(field: String, reason: String) {
            self.field = field
            self.reason = reason
        }
    }

    package var fault: Fault?
    /// Whose share the job is taken from, unless the submitter says.
    package var account: AccountName?

    package init(fault: Fault? = nil, account: AccountName? = nil) {
        self.fault = fault
        self.account = account
    }
}
