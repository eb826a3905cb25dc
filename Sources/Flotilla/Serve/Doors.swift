import AdminHTTP
import BalancerAgent
import ClusterPorts
import FileService
import FilesHTTP
import HTTPDoor
import Logging
import ServiceLifecycle

/// The two front doors of a node.
struct Doors {
    let settings: Settings
    let files: FileService
    let uploads: UploadService
    let uploadRows: any UploadStore
    let log: TransferLog
    let seal: NodeSeal
    let gatekeeper: Gatekeeper
    let desk: AccountDesk
    let transfers: any TransferStore
    let members: any MemberControl
    let leases: any LeaseStore
    let feed: any FeedStore
    let webhooks: any WebhookStore
    let events: any EventStore
    let jobs: any JobStore & JobControl
    let schedules: any ScheduleStore
    let queue: NodeQueue
    let shards: any ShardStore
    let shardExplainer: any ShardExplainer
    let standing: any NodeStanding
    let cache: (any ViewCache)?
    let gauge: RequestGauge
    let agent: AgentDoor
    let logger: Logger

    func services(_ announcement: Announcement) -> [any Service] {
        var limits = ConnectionLimits()
        // Balancers keep connections open between requests, and above the bound of requests a 503 still has to fit.
        limits.connections = 2 * self.settings.requestsMax
        let files = FilesDoor.server(
            FilesDoor.Dependencies(
                files: self.files, uploads: self.uploads, gatekeeper: self.gatekeeper,
                standing: self.standing, gauge: self.gauge, trustedProxies: self.settings.trustedProxies,
                requestsMax: self.settings.requestsMax, accountRequestsMax: self.settings.accountRequestsMax),
            address: DoorAddress(host: self.settings.bind, port: self.settings.filesPort), limits: limits,
            logger: self.logger, onBound: { announcement.bound(files: $0) })
        let admin = AdminDoor.server(
            AdminDoor.Dependencies(
                gatekeeper: self.gatekeeper, desk: self.desk, transfers: self.transfers,
                members: self.members, leases: self.leases, feed: self.feed, webhooks: self.webhooks,
                events: self.events, jobs: self.jobs, schedules: self.schedules, jobKinds: self.queue.kinds,
                readPayload: NodeQueue.reading,
                explainer: self.queue.explainer, doorbell: self.queue.doorbell,
                shards: self.shards, shardExplainer: self.shardExplainer,
                uploads: self.uploads, uploadRows: self.uploadRows,
                sessions: { [log] in log.sessions() }, peers: PeerSessions(logger: self.logger),
                seal: self.seal,
                standing: self.standing, cache: self.cache, gauge: self.gauge,
                weight: { [agent] in
                    let (percent, latency) = agent.weight()
                    return IngressWeightReading(percent: percent, latency: latency)
                }),
            address: DoorAddress(host: self.settings.bind, port: self.settings.adminPort),
            limits: ConnectionLimits(),
            logger: self.logger, onBound: { announcement.bound(admin: $0) })
        return [self.agent, files, admin]
    }
}
