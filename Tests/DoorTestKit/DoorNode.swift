package import AdminHTTP
package import ClusterModel
import ClusterPorts
package import ClusterTestKit
package import FileService
import FilesHTTP
package import Foundation
package import HTTPDoor
import Logging
package import PostgresStore
import ServiceLifecycle
import SharedMount

/// One node with both doors open, over a real database and a real folder.
package struct DoorNode: Sendable {
    package let filesPort: Int
    package let adminPort: Int
    /// The folder that is the mount.
    package let mount: URL
    package let store: PostgresStore
    package let desk: AccountDesk
    package let standing: FixedStanding
    package let right: NodeRight
    /// The first administrator's.
    package let adminToken: String

    /// Opens the doors for as long as the work takes; removes everything afterwards.
    ///
    /// - Parameters:
    ///   - bounds: What the files' door takes on.
    ///   - prepare: Gets the folder that becomes the mount before anything is in it.
    package static func with(
        _ limits: ConnectionLimits = ConnectionLimits(), bounds: TestBounds = TestBounds(),
        on prepare: (String) throws -> Void = { _ in },
        _ work: @Sendable (DoorNode) async throws -> Void
    ) async throws {
        let folder = try ScratchFolder("doors")
        try prepare(folder.path)
        try await withTestDatabase { database in
            let vault = PosixVault(root: folder.path)
            let result: Result<Void, any Error>
            do {
                let mount = URL(filePath: folder.path, directoryHint: .isDirectory)
                result = .success(try await Self.serve(database, vault, mount, limits, bounds, work))
            } catch {
                result = .failure(error)
            }
            await vault.shutDown()
            try result.get()
        }
        withExtendedLifetime(folder) {}
    }

    private static func serve(
        _ database: TestDatabase, _ vault: PosixVault, _ mount: URL, _ limits: ConnectionLimits,
        _ bounds: TestBounds, _ work: @Sendable (DoorNode) async throws -> Void
    ) async throws {
        let store = database.store
        let member = try await Self.join(database, vault)
        let right = member.right
        let standing = FixedStanding(right, at: try await store.facts().configVersion)
        standing.set(view: try await store.view())
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let log = TransferLog(
            names: store, transfers: store, standing: standing, limits: FileLimits(), logger: logger)
        let files = FileService(
            vault: vault, names: store, transfers: store, standing: standing, log: log, limits: FileLimits(),
            logger: logger, quotas: store)
        let uploads = UploadService(
            files: files, area: vault, store: store, names: store, limits: UploadLimits(), logger: logger)
        let gatekeeper = Gatekeeper(
            store: store, cache: nil, standing: standing, cacheKey: try await store.facts().cacheKey,
            logger: logger)
        let desk = AccountDesk(store: store, vault: vault, standing: standing)
        let gauge = RequestGauge(capacity: 100)
        let clusterKey = try await store.facts().cacheKey
        let filesPort = BoundPort()
        let adminPort = BoundPort()
        let anywhere = DoorAddress(host: "127.0.0.1", port: 0)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    log, files, uploads,
                    FilesDoor.server(
                        .init(
                            files: files, uploads: uploads, gatekeeper: gatekeeper, standing: standing,
                            gauge: gauge, requestsMax: bounds.requests, accountRequestsMax: bounds.ofAccount),
                        address: anywhere, limits: limits, logger: logger, onBound: { filesPort.set($0) }),
                    AdminDoor.server(
                        .init(
                            gatekeeper: gatekeeper, desk: desk, transfers: store, members: store,
                            leases: store, feed: store, webhooks: store, events: store, jobs: store,
                            schedules: store,
                            jobKinds: Set([JobKind("noop")].compactMap(\.self)),
                            // As a handler would that knows no colours, and has alice pay.
                            readPayload: { spec in
                                let isUnfit = spec.payload.contains("colour")
                                return PayloadReading(
                                    fault: isUnfit ? .init(field: "to.colour", reason: "is not known") : nil,
                                    account: spec.payload.contains("alice") ? AccountName("alice") : nil)
                            },
                            shards: store, shardExplainer: PlainExplainer(),
                            uploads: uploads, uploadRows: store, sessions: { log.sessions() },
                            peers: bounds.peers,
                            seal: NodeSeal(clusterKey: clusterKey),
                            standing: standing, cache: nil,
                            gauge: gauge),
                        address: anywhere, limits: limits, logger: logger, onBound: { adminPort.set($0) }),
                ], logger: logger))
        guard let token = try await desk.firstToken() else {
            throw TestFailure("the first token was made before")
        }
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            let node = DoorNode(
                filesPort: await filesPort.get(), adminPort: await adminPort.get(), mount: mount,
                store: store,
                desk: desk, standing: standing, right: right, adminToken: token)
            try await work(node)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        try await member.dropLines()
    }

    /// Becomes a live member, as far as database and mount know.
    private static func join(_ database: TestDatabase, _ vault: PosixVault) async throws -> JoinedNode {
        let cluster = try await database.store.facts().cluster
        guard let nonce = MountNonce((0..<16).map { _ in UInt8.random(in: .min ... .max) }) else {
            throw TestFailure("no nonce")
        }
        _ = try await vault.establish(MountIdentity(cluster: cluster, nonce: nonce))
        let member = try await JoinedNode.join(database)
        _ = try await vault.note(member.right.incarnation)
        return member
    }

    /// As a heartbeat would: the node learns which configuration there is.
    package func beat() async throws {
        self.standing.set(.serving(self.right, try await self.store.facts().configVersion))
        self.standing.set(view: try await self.store.view())
    }

    /// An account with a home, known at once.
    package func makeAccount(_ name: String, password: String = "secret of \(#line)") async throws
        -> TestLogin
    {
        _ = try await self.desk.create(name: name, password: password, adopting: false)
        try await self.beat()
        return TestLogin(name: name, password: password)
    }

    /// Where an account's file is on the mount.
    package func onMount(_ account: String, _ path: String) -> String {
        self.mount.appending(path: "homes/\(account)/\(path)").path
    }

    /// What waits in staging, of all incarnations.
    package func staged() -> [String] {
        let staging = self.mount.appending(path: ".flotilla/staging").path
        return (FileManager.default.subpaths(atPath: staging) ?? []).filter { $0.contains("/") }
    }
}

/// How many requests a test's node takes on; nil for any number.
package struct TestBounds: Sendable {
    package var requests: Int?
    package var ofAccount: Int?
    /// Whom its administrators' sessions are asked of besides.
    package var peers: (any SessionPeers)?

    package init(requests: Int? = nil, ofAccount: Int? = nil, peers: (any SessionPeers)? = nil) {
        self.peers = peers
        self.requests = requests
        self.ofAccount = ofAccount
    }
}

private struct PlainExplainer: ShardExplainer {
    func because(_ shard: ShardRecord) -> [String] { ["shard \(shard.number), as the test explains it"] }
}

package struct TestLogin: Sendable {
    package var name: String
    package var password: String

    package init(name: String, password: String) {
        self.name = name
        self.password = password
    }

    package var authorization: String {
        "Basic " + Data("\(self.name):\(self.password)".utf8).base64EncodedString()
    }
}

package struct TestFailure: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// A port that is known once a server listens.
private final class BoundPort: Sendable {
    private let stream: AsyncStream<Int>
    private let source: AsyncStream<Int>.Continuation

    init() { (self.stream, self.source) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func set(_ port: Int) {
        self.source.yield(port)
        self.source.finish()
    }

    func get() async -> Int {
        for await port in self.stream { return port }
        return 0
    }
}
