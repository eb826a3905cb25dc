import AdminHTTP
import BalancerAgent
import ClusterModel
import ClusterPorts
import ClusterRuntime
import EmbeddedPostgres
import FileService
import HTTPDoor
import Logging
import PostgresDriver
import PostgresStore
import ReadinessLoop
import ServiceLifecycle
import SharedMount

/// Prepares the schema, then runs everything that makes the process a node.
///
/// Both doors listen before the node joins; until it has, they answer 503.
struct NodeService: Service {
    let settings: Settings
    let notes: [String]
    let pool: PostgresPool
    let database: PostgresStoreConfiguration
    let embedded: EmbeddedPostgres?
    let loop: ReadinessLoop
    let logger: Logger

    func run() async throws {
        try self.checkMount()
        let facts = try await self.prepare(PostgresStore(pool: self.pool))
        let vault = PosixVault(root: self.settings.mount, logger: self.logger)
        let board = StandingBoard()
        let gauge = RequestGauge(capacity: self.settings.capacity)
        let cache = try SharedCache(self.settings, facts: facts, loop: self.loop, logger: self.logger)
        let doorbell = cache?.doorbell ?? LocalDoorbell()
        let store = PostgresStore(pool: self.pool, doorbell: doorbell)
        let announcement = Announcement(settings: self.settings, notes: self.notes, logger: self.logger)
        let limits = FileLimits(uploadsMemory: self.settings.uploadsMemory)
        let log = TransferLog(
            names: store, transfers: store, standing: board, limits: limits, logger: self.logger)
        let files = FileService(
            vault: vault, names: store, transfers: store, standing: board, log: log, limits: limits,
            logger: self.logger, quotas: store)
        let uploads = self.uploads(of: files, vault, store)
        let scrypt = ScryptPool()
        let gatekeeper = Gatekeeper(
            store: store, cache: cache?.view, standing: board, cacheKey: facts.cacheKey, logger: self.logger,
            scrypt: scrypt)
        let desk = AccountDesk(store: store, vault: vault, standing: board, scrypt: scrypt)
        let agent = self.agent(board, gauge, announcement)
        let claims = PostgresStore(pool: self.pool, lane: .claims)
        let queue = NodeQueue(
            store: store, claims: claims, files: vault,
            homes: JobFileDesk(files: files, names: store), standing: board, doorbell: doorbell, meter: gauge,
            most: self.settings.jobsMax, reach: self.settings.webhooksReach, logger: self.logger)
        let shards = NodeShards(
            claims: claims, standing: board, works: self.fileWorks(store, vault, board) + queue.works,
            logger: self.logger)
        let doors = Doors(
            settings: self.settings, files: files, uploads: uploads, uploadRows: store, log: log,
            seal: NodeSeal(clusterKey: facts.cacheKey), gatekeeper: gatekeeper, desk: desk,
            transfers: store, members: store, leases: store, feed: store, webhooks: store, events: store,
            jobs: store, schedules: store, queue: queue, shards: store, shardExplainer: shards.explainer,
            standing: board, cache: cache?.view, gauge: gauge, agent: agent, logger: self.logger)
        let runtime = self.runtime(claims, vault, gauge, board)

        let leases = BatchingLeaseDesk(store: claims, standing: board, logger: self.logger)
        let sweeper = Sweeper(store: claims, board: board, desk: leases, logger: self.logger)
        let duties = LeaderDuties(store: claims, board: board, logger: self.logger)

        var services: [any Service] = cache.map { [$0.client, $0.redisBell] } ?? []
        services += doors.services(announcement)
        services.append(Gated(runtime, until: announcement.listening))
        // They stop before the node leaves: what it holds is ended while it still has the right to.
        services += shards.services
        services += [leases, sweeper, duties]
        services += [log, files, uploads]
        // Before the files: what a job has begun to change, it still ends.
        services += queue.services
        services.append(announcement.service(desk: desk, standing: board))
        services.append(Farewell(agent))
        try await Self.runAll(services, logger: self.logger)
        await vault.shutDown()
    }

    /// Refuses a mount that loses writes, and warns of one that may hide files.
    private func checkMount() throws {
        for objection in MountCheck.objections(to: self.settings.mount) {
            switch objection {
            case .refusal(let reason):
                throw StartError(description: "The mount is not safe: \(reason).", exitCode: 78)
            case .warning(let reason):
                self.logger.warning("the mount may hide files", metadata: ["mount.reason": "\(reason)"])
            }
        }
    }

    private func agent(
        _ board: StandingBoard, _ gauge: RequestGauge, _ announcement: Announcement
    ) -> AgentDoor {
        AgentDoor(
            host: self.settings.bind, port: self.settings.agentPort, standing: board, meter: gauge,
            logger: self.logger, onBound: { announcement.bound(agent: $0) })
    }

    private func runtime(
        _ store: PostgresStore, _ vault: PosixVault, _ gauge: RequestGauge, _ board: StandingBoard
    ) -> ClusterRuntime {
        ClusterRuntime(
            store: store, lines: PostgresHeartbeatLines(server: self.database.heartbeats), mount: vault,
            meter: gauge, profile: self.profile, drain: MemberOwnDrain(store), board: board,
            logger: self.logger)
    }

    private func uploads(
        of files: FileService, _ vault: PosixVault, _ store: PostgresStore
    ) -> UploadService {
        UploadService(
            files: files, area: vault, store: store, names: store, limits: UploadLimits(),
            logger: self.logger)
    }

    /// What of the files is some node's standing work.
    private func fileWorks(
        _ store: PostgresStore, _ vault: PosixVault, _ board: StandingBoard
    ) -> [any StandingWork] {
        [
            Recovery(
                vault: vault, names: store, transfers: store, segments: store, cluster: store,
                departures: store, standing: board, logger: self.logger),
            UploadTidying(upkeep: store, store: store, vault: vault, logger: self.logger),
            HomeCounting(counts: store, vault: vault, logger: self.logger),
        ]
    }

    /// How long an external database may take to answer at start.
    private static let databaseWithin: Duration = .seconds(15)

    private var profile: NodeProfile {
        NodeProfile(
            name: self.settings.name,
            addresses: NodeAddresses(
                host: self.settings.advertise, filesPort: self.settings.filesPort,
                adminPort: self.settings.adminPort),
            version: ProgramVersion.text, knownSchema: Migration.newest, attributes: [:],
            capacity: self.settings.capacity, connections: self.database.connectionsInAll)
    }

    /// Waits for a private database, brings the schema up to date, and reads what every node must know.
    private func prepare(_ store: PostgresStore) async throws -> ClusterFacts {
        try await self.embedded?.waitUntilReady()
        do {
            // A database that is not there is told sooner than one that others are busy migrating.
            _ = try await self.pool.query("select 1", deadline: Self.databaseWithin)
            _ = try await SchemaMigrator(pool: self.pool, logger: self.logger).run()
            if self.embedded != nil {
                let buried = try await store.buryAll(reason: "the embedded database was started anew")
                if buried > 0 { self.logger.info("buried members", metadata: ["members": "\(buried)"]) }
            }
            return try await store.facts()
        } catch let error as PostgresError {
            throw RuntimeError.databaseUnreachable(error.reason)
        } catch let error as SchemaError {
            throw Self.explained(error)
        } catch let error as StoreError {
            throw RuntimeError.databaseUnreachable(error.description)
        }
    }

    private static func explained(_ error: SchemaError) -> any Error {
        switch error {
        case .busy(_, .notRun(let reason)): RuntimeError.databaseUnreachable(reason)
        case .busy: StartError(description: "The schema is busy: \(error).", exitCode: 69)
        case .tooNew, .failed, .unreadable:
            StartError(description: "The schema does not fit: \(error).", exitCode: 70)
        }
    }

    private static func runAll(_ services: [any Service], logger: Logger) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { service in
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: service, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                logger: logger.atLeastInfo))
        try await group.run()
    }
}

extension FileLimits {
    /// What an upload holds at most, in bytes: four reads of 64 KiB wait for the mount.
    private static let uploadBytes = 256 << 10

    /// - Parameter uploadsMemory: in MiB.
    init(uploadsMemory: Int) {
        self.init()
        self.openUploads = max(1, (uploadsMemory << 20) / Self.uploadBytes)
    }
}
