import AdminHTTP
import ClusterModel
import ClusterPorts
import ClusterRuntime
import FileService
import Logging
import PostgresStore
import ServiceLifecycle
import SharedMount
import WorkService

/// What works on the queue in a node: handlers, their runner, and those who keep jobs moving.
struct NodeQueue {
    let doorbell: any Doorbell
    let runner: JobRunner
    /// What may be submitted: what this program knows how to do, but for messages, which only events make.
    let kinds: Set<JobKind>
    let explainer: QueueExplainer
    /// What is done for the shards that the node owns.
    let works: [any StandingWork]
    /// In the order in which they start; they stop in the reverse one, before the node leaves.
    let services: [any Service]

    init(
        store: PostgresStore, claims: PostgresStore, files: PosixVault, homes: any JobFiles,
        standing: StandingBoard, doorbell: any Doorbell, meter: any LoadMeter, most: Int,
        reach: ReceiverReach, logger: Logger
    ) {
        let sender = WebhookSender(reach: reach, slots: most)
        let handlers: [any JobHandler] = [
            WebhookHandler(webhooks: store, sender: sender, version: ProgramVersion.text, logger: logger),
            VerifyHandler(files: files, transfers: store, names: store, accounts: store),
            RetentionHandler(store: store),
            CarryHandler(.copy, vault: files, files: homes, accounts: store),
            CarryHandler(.move, vault: files, files: homes, accounts: store),
        ]
        let runner = JobRunner(
            store: claims, losses: claims, standing: standing, handlers: handlers, doorbell: doorbell,
            meter: meter, settings: JobRunner.Settings(capacity: most), logger: logger)
        let stager = JobStager(
            store: claims, standing: standing, ends: runner.orderedEnds, doorbell: doorbell, logger: logger)
        let sweeper = JobSweeper(
            store: claims, hot: store, standing: standing, doorbell: doorbell, logger: logger)
        self.doorbell = doorbell
        self.runner = runner
        self.kinds = Set(handlers.map(\.kind).filter { $0.description != "webhook" })
        self.explainer = QueueExplainer(store: store, standing: standing, runner: runner)
        self.works = [ScheduleTicker(store: store, standing: standing, logger: logger)]
        self.services = [sender, stager, sweeper, runner]
    }
    /// What is wrong with a copy or a move is told to whoever submits it; its target's account pays for it.
    @Sendable static func reading(_ spec: JobSpec) -> PayloadReading {
        guard spec.kind == WorkKind.copy || spec.kind == WorkKind.move else { return PayloadReading() }
        do throws(CarryOrder.Fault) {
            return PayloadReading(account: try CarryOrder(spec.payload).to.account)
        } catch {
            return PayloadReading(fault: .init(field: error.field, reason: error.reason))
        }
    }
}
